"""Published figures that the sample world is built from.

All numbers are totals, shares or parameters that appear in public write-ups of the
competition (docs/sample-data.md names which choice rests on which). No row, hash or
text of the competition's files is in here.
"""

from __future__ import annotations

import numpy as np

USERS = 22_873
TRAIN_COUPONS = 19_413
TEST_COUPONS = 310
PURCHASES = 168_996
PURCHASED_PAIRS = 158_933
VISITS = 2_833_180
UNLISTED_COUPONS = 13_177
UNLISTED_VISITS = 315_233
REFERRERS = 97_319

GENRES = [
    "delivery",
    "food",
    "other",
    "hotel",
    "gift",
    "leisure",
    "hair",
    "relaxation",
    "spa",
    "nail",
    "lesson",
    "health",
    "beauty",
]
LARGE_AREAS = [
    "chugoku",
    "kyushu",
    "hokushinetsu",
    "hokkaido",
    "shikoku",
    "tohoku",
    "tokai",
    "kanto",
    "kansai",
]


def _by_genre(*values: float) -> dict[str, float]:
    return dict(zip(GENRES, values, strict=True))


# fmt: off
GENRE_COUPONS = _by_genre(
    5841, 3658, 873, 3570, 104, 664, 1436, 1089, 758, 626, 696, 55, 43)
GENRE_TEST_COUPONS = _by_genre(89, 55, 6, 59, 1, 11, 25, 21, 9, 17, 13, 4, 0)
GENRE_PURCHASES = _by_genre(
    59654, 37293, 25504, 15440, 10532, 6654, 3876, 3702, 2313, 2091, 1585, 198, 154)
GENRE_VIEWS_PER_FLAGGED = _by_genre(
    27.83, 40.9, 33.17, 68.14, 24.37, 29.95, 20.69, 23.41, 23.56, 25.23, 27.61,
    21.11, 24.81)
GENRE_FEMALE = _by_genre(
    .64, .44, .554, .406, .539, .46, .857, .71, .891, .96, .73, .687, .864)
GENRE_OWN_PREFECTURE = _by_genre(
    .12, .63, .16, .22, .26, .47, .75, .67, .67, .69, .40, .61, .70)
# Odds of buying a coupon of the own prefecture over one of another.
GENRE_OWN_PREFECTURE_ODDS = _by_genre(
    1.0, 12.3, 1.4, 6.8, 1.8, 20.6, 21.9, 12.5, 13.9, 13.3, 3.5, 7.0, 15.5)
GENRE_ITEMS = _by_genre(
    1.2, 2.2, 1.05, 1.5, 1.1, 1.8, 1.02, 1.05, 1.02, 1.02, 1.02, 1.02, 1.02)
GENRE_REISSUED = _by_genre(
    .55, .57, .54, .66, .76, .67, .47, .51, .47, .42, .63, .46, .28)

CAPSULES = {
    "delivery": {"delivery": 5841}, "food": {"food": 3658},
    "hotel": {"hotel": 1943, "ryokan": 1351, "resort_inn": 103, "minshuku": 99,
              "vacation_home": 28, "lodge": 24, "guest_house": 13,
              "public_hotel": 9},
    "hair": {"hair": 1436}, "relaxation": {"relaxation": 1089},
    "other": {"other": 827, "web_service": 42, "event": 4},
    "spa": {"spa": 758}, "lesson": {"lesson": 1},
    "leisure": {"leisure": 664}, "nail": {"nail": 626}, "gift": {"gift": 104},
    "health": {"health": 55}, "beauty": {"beauty": 43},
}
# Lessons carry one capsule until 2012-06-11, then one of two new ones.
LATE_LESSONS = {"correspond": 18, "class_lesson": 18}
LATE_LESSONS_FROM = "2012-06-12"

# ln(discount price): mean, sd; ln(catalog price): mean, sd; rate: mean, sd, p95
PRICES = {
    "delivery":   (7.508, 0.561, 8.460, 0.691, 58.77, 11.79),
    "food":       (7.584, 0.624, 8.351, 0.604, 52.85, 5.44),
    "other":      (7.329, 1.124, 8.357, 0.894, 60.19, 13.30),
    "hotel":      (8.939, 0.666, 9.707, 0.674, 52.96, 5.59),
    "gift":       (6.045, 1.276, 7.486, 0.802, 70.44, 16.44),
    "leisure":    (7.078, 0.838, 7.834, 0.816, 52.43, 5.73),
    "hair":       (8.310, 0.413, 9.446, 0.440, 66.56, 7.88),
    "relaxation": (7.933, 0.568, 8.888, 0.559, 59.69, 9.50),
    "spa":        (8.137, 0.537, 9.749, 0.705, 76.42, 11.92),
    "nail":       (8.056, 0.484, 9.170, 0.415, 64.80, 9.98),
    "lesson":     (9.165, 0.864, 10.487, 0.939, 70.08, 12.40),
    "health":     (8.580, 0.851, 10.045, 0.991, 72.75, 13.95),
    "beauty":     (8.136, 0.485, 9.158, 0.513, 62.65, 8.92),
}
# Quantiles of the discount in percent by genre: p05, p25, p50, p75, p95, max.
RATES = {
    "delivery": (50, 50, 54, 65, 82, 96), "food": (50, 50, 50, 54, 64, 90),
    "other": (50, 50, 57, 67, 93, 97), "hotel": (50, 50, 50, 54, 66, 82),
    "gift": (50, 50, 68, 86, 93, 96), "leisure": (50, 50, 50, 51, 68, 83),
    "hair": (51, 61, 69, 72, 77, 96), "relaxation": (50, 50, 58, 66, 76, 96),
    "spa": (50, 70, 78, 85, 93, 95), "nail": (50, 58, 65, 71, 82, 96),
    "lesson": (50, 60, 72, 79, 89, 97), "health": (50, 62, 73, 84, 92, 94),
    "beauty": (50, 54, 63, 70, 75, 77),
}

# Share of coupons by days on display, 0..8 (8 stands for 8 and more).
DISPLAY_DAYS = {
    "delivery": (0, 3.9, 43.4, 38.1, 13.7, 0, 0, 0.9, 0),
    "food": (0, 1, 16.9, 34.7, 16, 14.4, 6.8, 10.3, 0),
    "other": (0.1, 5.3, 44.1, 28.9, 10.5, 5.5, 1.1, 3.8, 0.7),
    "hotel": (0, 9.2, 34.6, 32.5, 19.9, 3.8, 0, 0, 0),
    "gift": (0, 5.8, 26, 22.1, 6.7, 4.8, 1.9, 12.5, 20.2),
    "leisure": (0, 18.4, 37.5, 27.3, 10.7, 3.9, 1.1, 1.2, 0),
    "hair": (0, 1, 16.9, 31.8, 29.8, 18.2, 0.3, 1.9, 0),
    "relaxation": (0, 0.6, 15.7, 24.2, 39.4, 19, 0.1, 0.9, 0),
    "spa": (0, 1.2, 15.4, 23.1, 38.8, 18.6, 0, 2.8, 0.1),
    "nail": (0, 0.5, 10.1, 24, 43, 20.9, 0.2, 1.4, 0),
    "lesson": (0, 0.7, 11.8, 48.6, 29.7, 6.5, 0.7, 1.6, 0.4),
    "health": (0, 0, 0, 0, 0, 0, 0, 100, 0),
    "beauty": (0, 0, 25.6, 53.5, 11.6, 4.7, 0, 4.7, 0),
}
# By month from 2011-06: mean days on display; share of 7 and more.
MONTH_DISPLAY_MEAN = (
    2.4, 2.385, 2.6, 2.319, 2.348, 2.785, 3.028, 3.304, 3.56, 3.742, 3.928, 4.327,
    4.541)
MONTH_LONG_SHARE = (
    .089, .03, .02, .015, .007, .007, .006, .013, .015, .018, .03, .11, .184)
MONTH_GENRE_SHARE = {
    "delivery": (.2, .317, .347, .32, .386, .334, .296, .283, .255, .24, .241, .29,
                 .295),
    "food": (.311, .214, .191, .249, .204, .144, .161, .147, .176, .206, .171, .165,
             .204),
    "hotel": (.133, .142, .139, .144, .126, .241, .248, .222, .188, .213, .212, .186,
              .157),
}
# Coupons released per Sunday week from 2011-06-26 (52 weeks), and the test week.
WEEK_COUPONS = (
    136, 346, 493, 371, 380, 280, 283, 302, 370, 464, 466, 503, 519, 520, 361, 329,
    351, 473, 397, 317, 333, 368, 413, 385, 391, 478, 335, 299, 377, 370, 348, 342,
    406, 440, 459, 375, 392, 400, 466, 361, 306, 320, 345, 359, 256, 275, 324, 371,
    325, 342, 358, 433)
FIRST_WEEK_NO_AREA = 45
TEST_DAY_COUPONS = (48, 37, 81, 50, 47, 27, 20)
TEST_DISPLAY_DAYS = {2: 2, 3: 60, 4: 136, 5: 56, 6: 15, 7: 40, 13: 1}
# Release weekday, Sunday first.
WEEKDAY_RELEASES = (11.9, 12.2, 21.7, 14.2, 15.0, 13.9, 11.2)
GENRE_TUESDAY = _by_genre(
    16.6, 22.5, 25.4, 24.5, 36.5, 24.4, 22.1, 20.8, 22.7, 20, 33.6, 61.8, 23.3)

# Percent of coupons without validity dates and without usable-day flags.
VALID_NULL = _by_genre(99.7, 0, .1, 0, 50, .2, 0, 0, 0, 0, 39.1, 0, 0)
USABLE_NULL = _by_genre(100, 0, 82.7, .1, 96.2, .6, .3, .9, .4, .3, 45.5, 0, 0)
VALID_QUARTILES = {
    "delivery": (70, 94, 143), "food": (117, 151, 178), "other": (24, 60, 123),
    "hotel": (93, 125, 166), "gift": (30, 42, 62), "leisure": (81, 117, 168),
    "hair": (89, 116, 177), "relaxation": (89, 105, 177), "spa": (90, 163, 178),
    "nail": (89, 106, 176), "lesson": (59, 113, 177), "health": (176, 178, 178),
    "beauty": (88, 92, 177),
}
# Usable-day patterns, Mon..Sun, holiday, day before a holiday: share in percent.
USABLE_PATTERNS = {
    "food": {"111111111": 49.6, "111111011": 7.8, "111111001": 5.0,
             "111100110": 4.1, "011111111": 3.6},
    "hotel": {"111112112": 34.1, "111111111": 22.7, "111110110": 12.0,
              "111122222": 4.0, "111112111": 3.9},
    "hair": {"111111111": 41.0, "101111111": 16.1, "011111111": 14.7,
             "021111111": 8.3, "121111111": 2.0},
    "relaxation": {"111111111": 61.2, "101111111": 4.9, "111111001": 4.1,
                   "111111011": 3.6, "011111111": 2.8},
    "spa": {"111111111": 55.9, "111111001": 6.5, "101111111": 5.6,
            "111111011": 5.3, "111110000": 3.4},
    "nail": {"111111111": 51.3, "101111111": 9.6, "011111111": 8.7,
             "111111011": 4.5, "111111001": 3.7},
    "leisure": {"111111111": 65.2, "111112112": 3.9, "111211111": 3.0,
                "111110001": 2.4, "101111111": 2.1},
    "delivery": {"111111111": 100}, "gift": {"111111111": 100},
    "other": {"111111111": 43.0}, "lesson": {"111111111": 18.5},
    "health": {"111111111": 18.2}, "beauty": {"111111111": 37.2},
}
# Percent of a genre's patterns with "not usable", Mon..Sun, holiday, day before.
USABLE_ZERO = {
    "food": (5.3, 3.1, 2.2, 1.1, 10.5, 13.1, 22.8, 12.8, 10.4),
    "other": (7.3, 7.3, 19.2, 17.2, 4.6, 10.6, 19.9, 19.9, 10.6),
    "hotel": (.7, .9, 1, 1, 1.7, 21.3, 2.4, 6.4, 21.3),
    "leisure": (4.2, 7, 6.1, 5.5, 3.3, 9.1, 7.7, 10.3, 7.4),
    "hair": (26.9, 23, 1.3, .4, .2, 6.1, 5.9, 5.5, 3.4),
    "relaxation": (6, 7, 4, 4.4, 1.3, 4.7, 15.3, 11, 3.3),
    "spa": (5, 6, 2.1, 2.9, .9, 4.5, 18.5, 16.2, 3.7),
    "nail": (12.5, 13.3, 5, 1, .8, 5.3, 16.3, 11.1, 2.7),
    "lesson": (47, 44.3, 27.2, 34.6, 33.2, 11.3, 29.6, 46.7, 45.1),
    "health": (20, 1.8, 14.5, 10.9, 3.6, 14.5, 54.5, 61.8, 3.6),
    "beauty": (18.6, 14, 7, 9.3, 2.3, 11.6, 18.6, 11.6, 2.3),
}
# The same for the undocumented value 2: Fri, Sat, Sun, day before a holiday.
USABLE_TWO = {
    "food": (7.2, 8.1, 4.4, 6), "other": (1.3, 2.6, 3.3, 0),
    "hotel": (9.2, 54.6, 8.7, 47.5), "leisure": (.8, 8.6, 4.5, 7.1),
    "hair": (0, 1.9, 2.5, 1.3), "relaxation": (1.7, 3.2, 4.9, 3.2),
    "spa": (.3, .7, 4.9, 1.2), "nail": (.2, 1.1, 1.6, 3),
    "lesson": (4.2, 9.2, 6.3, 3.4), "health": (1.8, 0, 0, 1.8),
    "beauty": (0, 0, 0, 2.3),
}

# Percent of a genre's coupons in Tokyo, then in each of LARGE_AREAS.
GENRE_PLACE = {
    "delivery": (40.3, 2.4, 6.4, 1.5, 5.1, .6, 4, 6.2, 55, 18.8),
    "food": (39.1, 1.8, 8.3, 1.1, 4.5, 1, 1.7, 5, 54, 22.7),
    "other": (41.2, 1.6, 5.8, 3.2, 12.1, .8, 1.4, 6.1, 49.9, 19),
    "hotel": (7.9, 5.9, 17.8, 12.7, 3.1, 3.3, 5.2, 19.4, 21.7, 10.8),
    "gift": (70.2, 4.8, 1, 0, 0, 0, 0, 0, 78.8, 15.4),
    "leisure": (5.7, 7.4, 13.3, 17.5, 2.7, 1.8, 5.9, 16.9, 24.2, 10.4),
    "hair": (37, 1, 7.1, .6, 4.9, .3, 1.7, 7.4, 49.9, 27.1),
    "relaxation": (50.7, .8, 2.4, 1.3, 3.3, .4, 1.1, 6.3, 71.2, 13.2),
    "spa": (41.7, 1.1, 5.1, 1.1, 3.6, .3, .3, 8.7, 54.5, 25.5),
    "nail": (53.2, .3, 3, .3, 2.2, 0, .5, 9.3, 61.8, 22.5),
    "lesson": (63.4, 1.9, 3, 0, .9, 0, .6, 3.9, 70.5, 19.3),
    "health": (83.6, 0, 0, 0, 0, 0, 0, 0, 100, 0),
    "beauty": (44.2, 2.3, 4.7, 2.3, 4.7, 0, 4.7, 4.7, 55.8, 20.9),
}
# Percent of purchases by the shop's large area; the other three share the rest.
LARGE_AREA_PURCHASES = {
    "kanto": 59.6, "kansai": 18.3, "kyushu": 5.8, "tokai": 5.3, "hokkaido": 3.9,
    "tohoku": 2.3}
# Listed areas per coupon: p25, p50, p75, p95, max; percent with one prefecture.
GENRE_AREAS = {
    "delivery": (12, 14, 16, 19, 55, .1), "food": (1, 1, 1, 3, 14, 81.3),
    "other": (8, 12, 15, 19, 55, 17.6), "hotel": (4, 4, 10, 10, 19, .1),
    "gift": (1, 3, 13, 45, 55, 44.6), "leisure": (3, 3, 4, 10, 55, 8.2),
    "hair": (1, 1, 1, 3, 3, 87.1), "relaxation": (1, 1, 1, 3, 12, 88.9),
    "spa": (1, 1, 1, 3, 10, 85.4), "nail": (1, 1, 1, 3, 4, 87.2),
    "lesson": (1, 5, 32, 54, 55, 43.2), "health": (1, 1, 2, 9, 11, 76.4),
    "beauty": (1, 1, 1, 3, 3, 90.7),
}
GENRE_AREA_MEAN = _by_genre(
    13.9, 1.4, 11.1, 5.9, 9.9, 4.6, 1.3, 1.3, 1.4, 1.4, 17.4, 2.5, 1.3)
SMALL_AREA_COUPONS = {
    "ginza": 2325, "shinjuku": 1341, "ebisu": 854, "shibuya": 889, "ikebukuro": 689,
    "akasaka": 362, "tachikawa": 315, "kita": 1175, "minami": 1014,
    "yokohama": 872, "kawasaki": 507,
}
# Prefecture: users, purchases of its users, coupons.
PREFECTURES = {
    "tokyo": (2830, 26685, 6775), "osaka": (1638, 16031, 2189),
    "kanagawa": (1653, 14606, 1379), "saitama": (874, 7792, 595),
    "hyogo": (879, 7717, 867), "chiba": (835, 7458, 459),
    "fukuoka": (731, 6356, 761), "aichi": (938, 6344, 893),
    "hokkaido": (628, 4446, 850), "kyoto": (318, 3009, 327),
    "shizuoka": (405, 2716, 524), "hiroshima": (287, 2190, 200),
    "miyagi": (215, 1815, 261), "nara": (180, 1660, 77),
    "tochigi": (165, 1284, 143), "ibaraki": (187, 1257, 24),
    "nagano": (155, 1164, 304), "gifu": (171, 1123, 160),
    "shiga": (142, 1074, 66), "mie": (138, 1037, 156), "gunma": (135, 1036, 128),
    "ehime": (126, 1034, 87), "nagasaki": (111, 969, 137),
    "kumamoto": (135, 963, 133), "niigata": (144, 917, 133),
    "fukushima": (121, 908, 96), "yamaguchi": (110, 902, 64),
    "oita": (107, 853, 155), "okayama": (134, 832, 199), "okinawa": (83, 604, 229),
    "iwate": (80, 594, 71), "kagawa": (76, 538, 70), "saga": (55, 534, 73),
    "yamagata": (60, 517, 68), "miyazaki": (74, 513, 77), "ishikawa": (102, 471, 85),
    "toyama": (70, 467, 62), "kagoshima": (80, 464, 95), "tokushima": (57, 462, 37),
    "wakayama": (57, 462, 49), "yamanashi": (67, 437, 113), "aomori": (57, 379, 51),
    "kochi": (51, 363, 25), "akita": (50, 311, 35), "fukui": (40, 203, 61),
    "shimane": (41, 189, 45), "tottori": (25, 154, 25),
}
UNKNOWN_PREFECTURE_USERS = 7256
UNKNOWN_PREFECTURE_PURCHASES = 37_156

# Registration months from 2010-07: users, percent without prefecture, percent female.
REGISTRATIONS = (
    (27, 14.8, 44.4), (47, 10.6, 57.4), (319, 11, 51.1), (356, 8.1, 54.2),
    (2654, 5.8, 54), (798, 6.4, 49), (434, 10.4, 48.8), (1354, 13.4, 46.1),
    (699, 14.7, 44.9), (853, 19.5, 51.2), (2566, 13.3, 50.2), (1124, 23.3, 53.2),
    (1509, 49.4, 42.4), (1862, 50.1, 45), (896, 63.3, 48.8), (698, 50, 50.1),
    (797, 58, 41.4), (1261, 52.1, 38.9), (837, 41.3, 52.7), (1007, 48.6, 50.2),
    (956, 46.9, 48.1), (784, 49.2, 46.9), (579, 46.1, 42.3), (456, 50.4, 40.6))
REGISTRATION_PEAKS = {"2010-11-16": 253, "2011-05-19": 224, "2010-11-12": 221}
TEST_WEEK_REGISTRATIONS = 18
# Age bins: low, high, women, men, percent without prefecture.
AGES = (
    (15, 19, 35, 45, 46.2), (20, 24, 445, 406, 55.7), (25, 29, 1252, 1123, 45),
    (30, 34, 1669, 1472, 39.2), (35, 39, 1914, 1747, 32), (40, 44, 1827, 1669, 26.6),
    (45, 49, 1424, 1504, 24.1), (50, 54, 1171, 1337, 23.6), (55, 59, 639, 987, 26),
    (60, 64, 375, 892, 26.6), (65, 69, 158, 417, 28.5), (70, 80, 74, 291, 33.4))
# Upper age, purchases per user.
AGE_PURCHASES = ((30, 5.29), (40, 6.27), (50, 8.03), (60, 9.64), (80, 9.03))
WITHDRAWALS = (39, 93, 93, 114, 98, 108, 133, 74, 46, 44, 47, 32)
WITHDRAWN_USERS = 922
NEVER_BOUGHT_USERS = 91
NEVER_ACTIVE_USERS = 40
NEVER_VIEWED_BUYERS = 28

# Hours of registrations; purchases and visits have no published hours.
REGISTRATION_HOURS = (
    4.6, 2.7, 1.5, 1.0, .8, .6, 1.1, 1.6, 2.9, 4.1, 4.7, 5.7, 5.9, 5.1, 4.9, 4.8,
    5.0, 7.6, 4.7, 4.4, 5.6, 6.6, 7.5, 7.0)
MONTH_PURCHASES = (
    15206, 12366, 15223, 14886, 17687, 12602, 11849, 13961, 14742, 13595, 13386,
    13493)
WEEKDAY_PURCHASES = (10.9, 14.4, 16.2, 16.5, 16.4, 14.4, 11.2)
# Purchases per week from 2012-04-08 (11 weeks).
WEEK_PURCHASES_FROM = "2012-04-08"
WEEK_PURCHASES = (3399, 2621, 3507, 2399, 2613, 3010, 3869, 3016, 5870, 2807, 4038)
TOP_REFERRERS = (44.5, 5.8, 4.1, 4.0, 2.4)
# fmt: on


def genre_array(table: dict[str, float], genres: list[str]) -> np.ndarray:
    """Put a by-genre table into the order of ``genres``."""
    return np.array([table[genre] for genre in genres], dtype=float)
