package telemetry

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// The table of the metrics is complete, and so are those of the reasons; and they have
// nothing that there is not.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	names, reasons := map[string]bool{}, map[string]bool{}
	rows := names
	for line := range strings.Lines(section) {
		switch {
		case strings.HasPrefix(line, "| evenkeel_"):
			rows = names
		case strings.HasPrefix(line, "| reason of a rejection"):
			rows = reasons
		case strings.HasPrefix(line, "| `"):
			for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
				rows[word[1]] = true
			}
		}
	}
	compare := func(what string, documented map[string]bool, are []string) {
		t.Helper()
		for _, name := range are {
			if !documented[name] {
				t.Errorf("%s %s is not documented", what, name)
			}
			delete(documented, name)
		}
		for name := range documented {
			t.Errorf("%s %s is documented, and there is none", what, name)
		}
	}
	compare("metric", names, families(t))
	compare("reason", reasons, Rejections())
	for _, reason := range Cuts() {
		if !strings.Contains(section, "`"+reason+"`") {
			t.Errorf("reason %s of a cut is not documented", reason)
		}
	}
}

// families are the names of all metrics of ours, without their prefix.
func families(t *testing.T) []string {
	t.Helper()
	b := newBench(t)
	b.metrics.Route("all")
	b.metrics.Listener("here", []string{"gone", "open"}, []string{"reason"})
	gathered, err := b.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	seen := map[string]bool{}
	note := func(name string) {
		if name, ours := strings.CutPrefix(name, namespace+"_"); ours && !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	for _, f := range gathered {
		note(f.GetName())
	}
	described := make(chan *prometheus.Desc, 100) // those that have no series yet
	views{b.metrics}.Describe(described)
	close(described)
	for d := range described {
		note(regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1])
	}
	return all
}
