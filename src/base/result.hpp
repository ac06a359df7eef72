// result<T>: a value or an error_code. Expected failure travels as one of these, never as an
// exception.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace weir::base {

using error_code = boost::system::error_code;

template <class T, class E = error_code>
using result = boost::system::result<T, E>;

}  // namespace weir::base
