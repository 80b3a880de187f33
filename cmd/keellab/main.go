// Command keellab is evenkeel's laboratory: it plays scenarios in virtual time and over
// real HTTP, and compares strategies.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/evenkeel/evenkeel/cmd/cli"
)

func program() cli.Program {
	return cli.Program{
		Name:  "keellab",
		Title: "play scenarios, compare strategies",
		Commands: []cli.Command{
			{Name: "list", Short: "list the scenarios: name, and what each models", Run: list},
			{Name: "sim", Usage: "[SCENARIO…] [--subjects A,B] [--set PATH=VALUE]… [--sweep PATH=A,B]… [--seeds N] [--precision P] [--within T] [--seed S] [--baseline A] [--margin M] [--records N] [--out DIR] [--append]", Short: "play scenarios in virtual time (default: all)", Run: simulate},
			{Name: "run", Usage: "[SCENARIO…] [--subjects A,B] [--set PATH=VALUE]… [--sweep PATH=A,B]… [--blocks N] [--within T] [--resume] [--seed S] [--baseline A] [--margin M] [--records N] [--metrics ADDR] [--out DIR] [--append]", Short: "play scenarios over real HTTP (default: all)", Run: play},
			{Name: "regret", Usage: "[SCENARIO…] [--subject A] [--against B,C] [--endpoints N,M] [--proxies N,M] [--breakers on|off|both] [--choose N] [--seeds N] [--precision P] [--seed S] [--markdown] [--check]", Short: "how far a strategy is from the best of the others (default: all)", Run: findRegret},
			{Name: "ablation", Usage: "[SCENARIO…] [--subject A] [--endpoints N,M] [--proxies N,M] [--breakers on|off|both] [--seeds N] [--precision P] [--seed S]", Short: "what each guard of a strategy is worth (default: all)", Run: ablate},
			{Name: "certify", Usage: "[--seeds N]", Short: "hold the simulator against queueing theory; exit 1 on a miss", Run: certifySim},
			{Name: "selftest", Usage: "[--experiments N] [--seed S]", Short: "hold the statistics against what is known; exit 1 on a miss", Run: testStatistics},
			{Name: "report", Usage: "DIR [--baseline A] [--margin M]", Short: "make verdicts and reports of a results folder again, from its records", Run: rerender},
			{Name: "compare", Usage: "DIR DIR [--margin M]", Short: "hold later results against earlier ones; exit 1 if something is worse", Run: compareFolders},
			{Name: "schema", Short: "print the JSON Schema of scenario files", Run: schema},
		},
		More: `SCENARIO is a name under scenarios/ or a path. A subject is a strategy, perhaps with
settings and a limiter: p2c-ewma, p2c-ewma{decay=5s}, least-requests+fixed{limit=100}. For run
it may be another proxy: haproxy-random2, haproxy-leastconn, haproxy-roundrobin,
nginx-round-robin, nginx-least-conn, nginx-random-two; peers is all that are installed.

--set puts a value in place of what every scenario named says; PATH is as in its file:
--set servers.count=20 --set 'faults=[]'. --sweep plays every scenario with each of the
values, several sweeps with all combinations: --sweep arrivals.load=0.5,0.7,0.9.
Verdicts hold each subject against the baseline by the scenario's metric: TIE when the
whole 95 % interval lies within the margin, else WIN or LOSS when the adjusted p is below
0.05, else UNDECIDED; below six seeds or blocks nothing can be decided.

--proxies N and --endpoints N set proxies and servers.count; with commas they sweep.
For regret and ablation they make the whole scenario larger or smaller: its faults befall
the same share, its load is the same. The two leave nothing behind but their tables.`,
		Interrupted: "interrupted; the records of the trials that were finished are kept",
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// dispatch runs the command line and returns the exit code.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return program().Run(ctx, args, stdout, stderr)
}
