// Package peer has what it takes to run other proxies as subjects of the live lab, so that
// anyone can hold what they run today against evenkeel: for each a template of its
// configuration and the command that starts it.
//
// # Adding one
//
// A proxy is one file here, NAME.tmpl, in the language of text/template. What it renders to is
// the proxy's configuration, with [Settings] as its data; and it defines some words about
// itself:
//
//	{{define "about"}}what it is, in a line{{end}}
//	{{define "command"}}caddy run --config {{.File}} --adapter caddyfile{{end}}
//	{{define "version"}}caddy version{{end}}             prints its version
//	{{define "install"}}apt-get install caddy{{end}}     how one gets it
//	{{define "file"}}Caddyfile{{end}}                    name of its configuration
//	{{define "takes"}}timeouts retries health{{end}}     the policies that the template heeds
//	{{define "subjects"}}
//	least-conn   least_conn                              a line each: NAME-least-conn, and
//	round-robin  round_robin                             what {{.Variant}} is for it
//	{{end -}}
//
// The command runs in a folder of its own, in which its configuration lies, stays in the
// foreground, listens on {{.Listen}} and ends at SIGTERM. Its arguments are separated by
// spaces. The functions ms and seconds write a time as whole milliseconds and seconds
// (rounded up), and a day where the time is 0, which means no limit; retries is one less
// than the attempts.
package peer

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/template"
	"time"
)

// Peer is another proxy in one of its variants. Safe for concurrent use.
type Peer struct {
	Name    string   // of the subject: haproxy-leastconn
	About   string   // what it is
	Install string   // how one gets it
	Takes   []string // policies that its template heeds: timeouts, retries, breaker, health

	template *template.Template
	variant  string
}

// Settings are the data of a template: what the pool's policies say that other proxies
// have, too.
type Settings struct {
	Listen  string   // host:port at which it is to listen
	Servers []string // host:port of each
	Variant string   // from the template's subjects; set by Render
	File    string   // name of the configuration; set by Render

	Connect  time.Duration // for a connection to open; 0: no limit, here and below
	Header   time.Duration // for an attempt to be answered
	Total    time.Duration // for a request with all its attempts
	Attempts int           // how often a request is tried in all
	Breaker  *Breaker      // nil: failures take no server out
	Health   *Health       // nil: servers are not checked
}

// Breaker is when failures of real requests take a server out, and for how long.
type Breaker struct {
	Failures int
	OpenFor  time.Duration
}

// Health is how servers are checked.
type Health struct {
	Path              string
	Interval, Timeout time.Duration
	Rise, Fall        int
}

// Rendered is what it takes to start a peer.
type Rendered struct {
	Command []string // the program by its path, and its arguments
	File    string   // name of the configuration, in the folder where the command is to run
	Text    []byte   // the configuration
}

//go:embed *.tmpl
var files embed.FS

// catalogue are the peers of the templates, in their order.
var catalogue = sync.OnceValue(func() []*Peer {
	all, err := read(files)
	if err != nil {
		panic(err) // the templates are part of the program
	}
	return all
})

// Names are the names of all peers.
func Names() (names []string) {
	for _, p := range catalogue() {
		names = append(names, p.Name)
	}
	return names
}

// Find returns the peer of that name; nil if there is none.
func Find(name string) *Peer {
	at := slices.IndexFunc(catalogue(), func(p *Peer) bool { return p.Name == name })
	if at < 0 {
		return nil
	}
	return catalogue()[at]
}

// read reads the templates of a folder.
func read(dir fs.FS) (all []*Peer, err error) {
	names, err := fs.Glob(dir, "*.tmpl")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		these, err := parse(strings.TrimSuffix(name, ".tmpl"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, these...)
	}
	return all, nil
}

// parse reads one template: a peer for each of its subjects.
func parse(family, text string) (all []*Peer, err error) {
	t, err := template.New(family).Funcs(functions).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	words := map[string]string{}
	for _, word := range []string{"about", "install", "takes", "subjects"} {
		if words[word], err = execute(t, word, nil); err != nil {
			return nil, err
		}
	}
	for line := range strings.Lines(words["subjects"]) {
		name, variant, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		all = append(all, &Peer{
			Name: family + "-" + name, About: words["about"], Install: words["install"],
			Takes: strings.Fields(words["takes"]), template: t, variant: strings.TrimSpace(variant),
		})
	}
	if all == nil {
		return nil, fmt.Errorf("%s.tmpl: expected a subject a line in {{define \"subjects\"}}", family)
	}
	return all, nil
}

var functions = template.FuncMap{
	"ms":      func(d time.Duration) int64 { return whole(d, time.Millisecond) },
	"seconds": func(d time.Duration) int64 { return whole(d, time.Second) },
	"retries": func(attempts int) int { return max(attempts-1, 0) },
}

// whole is a time in whole units, rounded up; a day in place of no limit.
func whole(d, unit time.Duration) int64 {
	if d <= 0 {
		d = 24 * time.Hour
	}
	return int64((d + unit - 1) / unit)
}

func execute(t *template.Template, name string, data any) (string, error) {
	var b bytes.Buffer
	err := t.ExecuteTemplate(&b, name, data)
	return strings.TrimSpace(b.String()), err
}

// Render returns the command and the configuration for the settings. That the program is
// not there is an error that wraps ErrMissing and says how one gets it.
func (p *Peer) Render(s Settings) (Rendered, error) {
	var r Rendered
	var err error
	s.Variant = p.variant
	if s.File, err = execute(p.template, "file", nil); err != nil {
		return r, err
	}
	r.File = s.File
	if r.Command, err = p.command("command", s); err != nil {
		return r, err
	}
	var b bytes.Buffer
	err = p.template.Execute(&b, s)
	r.Text = b.Bytes()
	return r, err
}

// command is a command of the template, with the path of its program.
func (p *Peer) command(word string, s Settings) ([]string, error) {
	text, err := execute(p.template, word, s)
	if err != nil {
		return nil, err
	}
	command := strings.Fields(text)
	if len(command) == 0 {
		return nil, fmt.Errorf("the template of %s has an empty %s", p.Name, word)
	}
	if command[0], err = look(command[0]); err != nil {
		return nil, fmt.Errorf("%w (%s)", err, p.Install)
	}
	return command, nil
}

// ErrMissing is wrapped by the error for a program that is not there.
var ErrMissing = errors.New("not installed")

// look finds a program: where the shell would, and where distributions put servers, which
// is not on everybody's path.
func look(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is %w", program, ErrMissing)
}

// Version is the first line of what the program says of its version.
func (p *Peer) Version(ctx context.Context) (string, error) {
	command, err := p.command("version", Settings{})
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, line)
	}
	return line, nil
}
