package main

// formerCommit is the commit of 2026-11-25 whose figures are shown beside the present ones.
const formerCommit = "426d561"

// former has the figures of that commit by row, and their ratios to the baselines. They were measured on an idle machine
// with two AMD EPYC cores.
var former = map[string]string{
	"input and raw loop, CPU per beat, 1000 zooids as fast as possible":                               "1.28 µs (2.04×)",
	"input and Python, CPU per beat, 1000 zooids as fast as possible":                                 "1.28 µs (0.17×)",
	"input and processor, CPU per beat, one beat of each of 100 000 zooids":                           "13.46 µs (1.59×)",
	"the same, all zooids new to both":                                                                "23.28 µs",
	"the same over 10 s, with one report of each zooid":                                               "33.93 µs (1.88×)",
	"memory (PSS) of the three processes, 100 000 zooids":                                             "194.6 MB (6.45×)",
	"memory (PSS) of the three processes, 50 zooids":                                                  "31.6 MB (2.15×)",
	"CPU of the three processes, 50 zooids, share of a core":                                          "0.69 % (3.76×)",
	"delay past the deadline, quiet bus, p99 of 120 kills":                                            "0.97 s (0.065×)",
	"delay past the deadline, quiet bus, mean":                                                        "0.49 s (0.063×)",
	"delay past the deadline, busy bus, p99 of 120 kills":                                             "0.02 s (0.001×)",
	"delay past the deadline, busy bus, mean":                                                         "0.01 s (0.002×)",
	"overload, 1000 zooids as fast as possible: beats offered, queued by the bus":                     "6062101 /s, 493555 /s",
	"overload, 1000 zooids as fast as possible: queued beats not received, rejected, not processed":   "0, 0, 0",
	"overload, 1000 zooids as fast as possible: zooids lost, false gaps":                              "0, 0",
	"overload, 1000 zooids as fast as possible: gaps of zooids whose beats the bus had dropped":       "0",
	"overload, 1000 zooids as fast as possible: longest time without a metric of a zooid":             "1.0 s",
	"overload, 1000 zooids as fast as possible: memory (PSS) of input and processor before, maximum":  "24.6 MB, 47.3 MB",
	"overload, 1000 zooids as fast as possible: time until every beat is processed within 2 s":        "0.0 s",
	"overload, 200 000 zooids at 20 000 beats/s: beats offered, queued by the bus":                    "20000 /s, 20000 /s",
	"overload, 200 000 zooids at 20 000 beats/s: queued beats not received, rejected, not processed":  "0, 0, 0",
	"overload, 200 000 zooids at 20 000 beats/s: zooids lost, false gaps":                             "0, 0",
	"overload, 200 000 zooids at 20 000 beats/s: gaps of zooids whose beats the bus had dropped":      "0",
	"overload, 200 000 zooids at 20 000 beats/s: longest time without a metric of a zooid":            "10.5 s",
	"overload, 200 000 zooids at 20 000 beats/s: memory (PSS) of input and processor before, maximum": "24.5 MB, 539.7 MB",
	"overload, 200 000 zooids at 20 000 beats/s: time until every beat is processed within 2 s":       "0.0 s",
	"growth, input and processor: CPU ns per beat at 10², 10³, 10⁴, 10⁵, 10⁶ zooids":                  "1151, 1129, 1269, 1646, 2008 (1.74×)",
	"growth, input: CPU ns per beat at 10², 10³, 10⁴, 10⁵, 10⁶ zooids":                                "982, 1007, 1139, 1306, 1424 (1.45×)",
	"growth, input: bytes per zooid at 10³, 10⁴, 10⁵, 10⁶ zooids":                                     "366, 354, 345, 366",
	"growth, processor: CPU ns per beat at 10², 10³, 10⁴, 10⁵, 10⁶ zooids":                            "169, 122, 130, 340, 584 (3.46×)",
	"growth, processor: bytes per zooid at 10³, 10⁴, 10⁵, 10⁶ zooids":                                 "294, 278, 270, 291",
}
