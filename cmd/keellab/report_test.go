package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evenkeel/evenkeel/cmd/cli"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/stat"
)

// Summary and reports of a folder are made again from its digests alone.
func TestReport(t *testing.T) {
	dir, out := scenarios(t), t.TempDir()
	must(t, "sim", "--scenarios", dir, "--seeds", "2", "--records", "0", "--out", out)
	want := contents(t, out)
	must(t, "report", out)
	same(t, "once more", want, contents(t, out))
	for _, name := range []string{"summary.json", "report.md", "report.html", "figures"} {
		if err := os.RemoveAll(filepath.Join(out, name)); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "report", out)
	same(t, "from the records", want, contents(t, out))

	broken := stat.DigestPath(out, "tiny", record.Sim)
	if err := os.WriteFile(broken, []byte("no digests"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run("report", out)
	if want := fmt.Sprintf("keellab: stat: %s: expected gzip'ed digests: ", broken); code != cli.Failed ||
		!strings.HasPrefix(stderr, want) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("broken digests: exit %d, %s\nwant 1, %s…", code, stderr, want)
	}
}
