package core_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	slash "path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The house: which package may import which, and what the kernel must not touch. The
// rules stand in README.md, where people read them; these tests read them there.

const module = "github.com/evenkeel/evenkeel"

// sources are the parsed files of a package, without tests, by package path below the
// module.
func sources(t *testing.T) map[string][]*ast.File {
	t.Helper()
	all := map[string][]*ast.File{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		pkg := strings.TrimPrefix(slash.Dir(filepath.ToSlash(file)), "../")
		all[pkg] = append(all[pkg], parsed)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// imports are the paths that a package imports, with where.
func imports(files []*ast.File) []string {
	seen := map[string]bool{}
	for _, f := range files {
		for _, spec := range f.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			seen[p] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

var braces = regexp.MustCompile(`^(.*)\{(.*)\}$`)

// patterns reads a list such as "core, core/{pick,limit}, lab/*".
func patterns(cell string) []string {
	var list []string
	for _, item := range regexp.MustCompile(`[^,{]+(\{[^}]*\})?`).FindAllString(cell, -1) {
		item = strings.TrimSpace(item)
		if m := braces.FindStringSubmatch(item); m != nil {
			for _, last := range strings.Split(m[2], ",") {
				list = append(list, m[1]+strings.TrimSpace(last))
			}
		} else if item != "" {
			list = append(list, item)
		}
	}
	return list
}

func allowed(list []string, pkg string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		below, all := strings.CutSuffix(p, "*")
		return pkg == p || all && strings.HasPrefix(pkg, below)
	})
}

// table reads the rows of the README's table whose heading begins with the words.
func table(t *testing.T, heading string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	in := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, heading):
			in = true
		case !strings.HasPrefix(line, "|"):
			in = false
		case in && !strings.HasPrefix(line, "|--"):
			cells := strings.Split(strings.Trim(line, "|"), "|")
			rows[strings.Trim(strings.TrimSpace(cells[0]), "`")] = strings.TrimSpace(cells[len(cells)-1])
		}
	}
	if len(rows) == 0 {
		t.Fatalf("README.md has no table that begins with %q", heading)
	}
	return rows
}

func TestImports(t *testing.T) {
	ours := table(t, "| package | one sentence |")
	packages := sources(t)
	kits := map[string]bool{} // for tests alone
	for pkg, files := range packages {
		kits[pkg] = slices.Contains(imports(files), "testing")
	}
	for pkg, files := range packages {
		cell, ok := ours[pkg]
		if !ok {
			t.Errorf("package %s is not in the table of core/README.md", pkg)
			continue
		}
		for _, p := range imports(files) {
			below, mine := strings.CutPrefix(p, module+"/")
			if mine && !allowed(patterns(cell), below) {
				t.Errorf("%s imports %s: its row in core/README.md allows %q", pkg, below, cell)
			}
			if mine && kits[below] {
				t.Errorf("%s imports %s, which is for tests alone: it imports testing", pkg, below)
			}
		}
	}
	for pkg := range ours {
		if packages[pkg] == nil {
			t.Errorf("core/README.md has a row for %s, which is no package", pkg)
		}
	}
}

func TestImportsOfOthersModules(t *testing.T) {
	rows := table(t, "| module | for |")
	used := map[string]bool{}
	for pkg, files := range sources(t) {
		for _, p := range imports(files) {
			first, _, _ := strings.Cut(p, "/")
			if !strings.Contains(first, ".") || strings.HasPrefix(p, module) {
				continue // the standard library's, or ours
			}
			var of string
			for m := range rows {
				if p == m || strings.HasPrefix(p, m+"/") {
					of = m
				}
			}
			used[of] = true
			if of == "" || !allowed(patterns(rows[of]), pkg) {
				t.Errorf("%s imports %s, which core/README.md does not allow it", pkg, p)
			}
		}
	}
	for m := range rows {
		if !used[m] {
			t.Errorf("core/README.md has a row for %s, which nobody imports", m)
		}
	}
}

// TestProxyLinksNoLoadGenerator: the demo may use the simulated backends; what drives
// and evaluates experiments stays out of the proxy's binary.
func TestProxyLinksNoLoadGenerator(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"/cmd/evenkeel").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	if !strings.Contains(string(out), module+"/core/serve\n") {
		t.Fatal("go list does not name what the proxy is made of")
	}
	for dep := range strings.Lines(string(out)) {
		if strings.HasPrefix(dep, "github.com/tsenart/vegeta") || strings.HasPrefix(dep, "gonum.org/") {
			t.Errorf("cmd/evenkeel links %s", strings.TrimSpace(dep))
		}
	}
}

// kernel are the packages that time and chance must be handed to.
var kernel = []string{"core", "core/pick", "core/breaker", "core/limit", "core/health", "adaptive", "adaptive/*", "lab/model", "lab/sim"}

// TestKernelIsPure: no clock, no timer, no goroutine, no channel, no source of chance
// of its own.
func TestKernelIsPure(t *testing.T) {
	forbidden := map[string][]string{
		"time":         {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
		"math/rand":    nil, // nil: everything but what harmless lists
		"math/rand/v2": nil,
		"crypto/rand":  nil,
		"hash/maphash": nil,
		"runtime":      nil,
		"os":           nil,
		"net":          nil,
		"net/http":     nil,
	}
	harmless := map[string]bool{"math/rand/v2.Source": true}
	checked := 0
	for pkg, files := range sources(t) {
		if !allowed(kernel, pkg) {
			continue
		}
		checked++
		for _, f := range files {
			names := map[string]string{} // local name -> import path
			for _, spec := range f.Imports {
				p, _ := strconv.Unquote(spec.Path.Value)
				name := slash.Base(p)
				if name == "v2" {
					name = slash.Base(slash.Dir(p))
				}
				if spec.Name != nil {
					name = spec.Name.Name
				}
				names[name] = p
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					t.Errorf("%s starts a goroutine", pkg)
				case *ast.ChanType:
					t.Errorf("%s has a channel", pkg)
				case *ast.SelectorExpr:
					x, ok := n.X.(*ast.Ident)
					if !ok {
						break
					}
					p := names[x.Name]
					list, watched := forbidden[p]
					if watched && (list == nil || slices.Contains(list, n.Sel.Name)) && !harmless[p+"."+n.Sel.Name] {
						t.Errorf("%s uses %s.%s", pkg, p, n.Sel.Name)
					}
				}
				return true
			})
		}
	}
	if checked < 10 {
		t.Errorf("only %d packages of the kernel were found", checked)
	}
}
