package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	want := "short              The short one.\ntiny               The tiny one.\n"
	if got := must(t, "list", "--scenarios", scenarios(t)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	lines := strings.Split(strings.TrimSpace(must(t, "list", "--scenarios", catalogue)), "\n")
	if files, _ := filepath.Glob(catalogue + "/*.yaml"); len(lines) != len(files) {
		t.Errorf("the catalogue: %d lines, want %d", len(lines), len(files))
	}
}
