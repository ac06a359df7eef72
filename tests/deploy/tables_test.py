"""What the example worker makes of one field and of one batch, as tables of cases."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import support  # noqa: F401  (finds deploy/worker)
import tables


class ConvertTest(unittest.TestCase):
    def check(self, convert, good, bad):
        for value, expected in good:
            with self.subTest(value=value):
                self.assertEqual(convert(value), expected)
        for value in bad:
            with self.subTest(value=value), self.assertRaises(ValueError):
                convert(value)

    def test_whole_numbers_keep_their_range(self):
        self.check(tables.integer(0, 350)[1], [("0", 0), ("350", 350), ("007", 7)],
                   ["351", "-1", "1.0", "1e2", "1_0", "٣", "", " 1", "0x1", "9" * 19])

    def test_decimals_are_finite_and_keep_their_range(self):
        self.check(tables.decimal(-90, 90)[1],
                   [("90", 90.0), ("-7.209975", -7.209975), ("1e-05", 0.00001)],
                   ["90.1", "nan", "inf", "1e400", "1,5", ".5", "5.", "--1", "1_0", "NaN"])

    def test_money_becomes_cents_without_floating_point(self):
        self.check(tables.cents, [("0", 0), ("1", 100), ("1.5", 150), ("0.07", 7),
                                  ("1,234,567.89", 123456789),
                                  ("90071992547409.93", 9007199254740993)],
                   ["-1", "1.234", "1,23", "$5", "1.", ".5", "1e3", ",100", "1" * 16])

    def test_dates_exist(self):
        self.check(tables.iso_date, [("1999-10-19", "1999-10-19"), ("2000-02-29", "2000-02-29")],
                   ["1999-02-29", "1999-13-01", "19991019", "1999-1-1", "1999-W01-1", "0000-01-01"])

    def test_choices_take_any_case_and_give_their_own(self):
        self.check(tables.choice("None", "Minor")[1], [("none", "None"), ("MINOR", "Minor")],
                   ["B", "", "Major"])

    def test_texts_are_short_printable_and_match(self):
        self.check(tables.text(4, "[A-Z0-9]{3,4}")[1], [("00M", "00M"), ("AB12", "AB12")],
                   ["ab1", "A", "ABCDE", "A\x00B", "\ud800AA", "AB\u200b"])


class TransformTest(unittest.TestCase):
    ZIP = {"row": 1, "zip_code": "00501", "latitude": "40.922326", "longitude": -72.637078,
           "city": " Holtsville ", "state": "NY", "county": None}

    def test_text_or_number_and_missing_where_it_may_be(self):
        self.assertEqual(tables.transform("zipcodes", self.ZIP),
                         [1, "00501", 40.922326, -72.637078, "Holtsville", "NY", None])

    def test_every_reason_names_its_field(self):
        table = [({"city": ""}, "city: missing"), ({"city": "NA"}, "city: missing"),
                 ({"city": ["x"]}, "city: not a text or number"),
                 ({"city": True}, "city: not a text or number"),
                 ({"latitude": float("nan")}, "latitude: 'nan' is not a decimal number"),
                 ({"row": 0}, "row: 0 is outside"), ({"zip_code": 501}, "zip_code: '501' does not"),
                 ({"county": "x" * 201}, "county: longer than"),
                 ({None: ["more"]}, "more fields than the header has")]
        for change, reason in table:
            with self.subTest(change=change), self.assertRaisesRegex(ValueError, "^" + reason):
                tables.transform("zipcodes", {**self.ZIP, **change})

    def test_a_field_that_is_absent_is_missing(self):
        with self.assertRaisesRegex(ValueError, "zip_code: missing"):
            tables.transform("zipcodes", {"row": 1})


class ParseTest(unittest.TestCase):
    HEAD = b"row,zip_code,latitude,longitude,city,state,county\r\n"

    def test_csv_keeps_quoted_lines_and_extra_columns(self):
        records = tables.parse("zipcodes", "text/csv", self.HEAD + b'1,00501,1,2,"A\nB",NY,\r\n')
        self.assertEqual(records[0][1]["city"], "A\nB")

    def test_csv_rows_of_the_wrong_width_are_rows_to_reject(self):
        records = tables.parse("zipcodes", "text/csv", self.HEAD + b"1,00501\n1,2,3,4,5,6,7,8\n")
        for _, record in records:
            with self.assertRaises(ValueError):
                tables.transform("zipcodes", record)

    def test_ndjson_keeps_the_line_for_the_rejects(self):
        raw = '{"row": 1,  "city": "A\\u0000"}'
        self.assertEqual(tables.parse("zipcodes", "application/x-ndjson", raw.encode()),
                         [(raw, {"row": 1, "city": "A\x00"})])

    def test_a_control_character_between_json_values_is_broken(self):
        with self.assertRaises(tables.Broken):
            tables.parse("zipcodes", "application/x-ndjson", b'{"row": 1\x00}')


if __name__ == "__main__":
    unittest.main()
