package report

// term is an entry of the section "How to read this".
type term struct{ Name, Text string }

// guide is that section.
var guide = []term{
	{"Response time", "Counts from the instant at which the schedule wanted the request sent, not from when it was sent: " +
		"a stall is felt by every request that was due during it."},
	{"Failures", "A failed or rejected request counts at no less than the client's timeout. Failing fast is not being fast. " +
		"“p99 of successes” has the successes alone."},
	{"Figures", "Each is the median over the trials that are not void. A dash stands where a trial has too few requests to carry the " +
		"figure (p50 needs 6, p90 36, p99 368, p99.9 3690)."},
	{"Best", "Bold marks the lowest median p99 of a scenario; a darker ground is further from it (above 1.1, 1.5, 3 and 10 times). " +
		"This describes the trials at hand: it says nothing about chance. Verdicts do. " +
		"The clairvoyant oracle is a reference and takes no part."},
	{"Verdicts", "Each subject is held against the baseline by the scenario's one metric, block by block on the same requests. TIE: the whole interval lies " +
		"within the margin, so the two are as good as equal. Else WIN or LOSS: the adjusted p is below 0.05. Else UNDECIDED: more blocks may tell; below six nothing can be told. " +
		"A question mark: among all comparisons of the report, those at least as significant are expected to be false in 5 % or more (q)."},
	{"Ratio", "The geometric mean over the blocks, subject over baseline: 0.5 is half the latency. Of goodput it is baseline over subject, so that below 1 is better everywhere: 0.5 is twice the " +
		"goodput. Errors are compared in points, hundredths of the requests. The interval is of one comparison; p is adjusted for all in the scenario, and may be above 0.05 where the interval excludes 1."},
	{"Distance from the oracle", "The same ratio to the clairvoyant reference: what was left to gain by choosing better, without a verdict. It may be below 1: the oracle is no bound."},
	{"Goodput", "Successes within the objective's latency, per second of measured time. “Within objective” is the same as a share of the requests."},
	{"Unstable", "A trial in which more came in than could be served, or that had to be stopped: it has no steady state, its figures grow with its " +
		"length, and comparing them says little beyond that. It counts, so that a strategy that lets a system run over is seen, and is never the best."},
	{"Recovery", "How long the objective was missed because of faults: from the beginning of one until it is met for as long as the fault is on, and from its end until it is met for good. " +
		"“At once”: it was not missed. The longest of a trial's faults, the median of the trials."},
	{"Live and simulated", "Each live trial was simulated as well, with the same arrivals and demands. The agreement is 1 where p50, p90 and p99 are equal, 0.9 where one is 11 % off on average. Dashed: the simulator's."},
	{"Block by block", "A dot for each block: what the subject's figure is of the baseline's on the same requests. The bar is the 95 % interval, the diamond the mean, the grey band the margin of a TIE."},
	{"Percentiles", "The scale is that of 1/(1−q): each step to the right is ten times as rare. The shaded band reaches from the lowest to the highest trial."},
	{"Modes", "How decisions were made: adaptive, by the strategy's own rule; fallback, round robin because the signal was not to be trusted; " +
		"panic, round robin over everything because too few endpoints were ready. Other proxies do not tell."},
	{"Inside", "Requests by response time (the darker, the more, on a logarithmic scale; the fastest 0.5 % are left out), pending attempts per endpoint, the limit, decisions by mode and breakers are of one trial. " +
		"Of several proxies, pending is their sum, and a breaker is the paler the fewer of them have it open."},
	{"Over time", "Shaded in orange: a fault is on. Shaded in grey: warm-up, played and not counted. Lower line p50, upper line p99, medians over " +
		"the trials; the dark strip at the bottom shows failures. Every panel of a scenario has the same scales."},
	{"Simulated or live", "A simulated result ran the shipped balancing code in virtual time and repeats to the byte. " +
		"A live one ran real HTTP on one machine and does not."},
}
