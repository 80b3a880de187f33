package live

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/evenkeel/evenkeel/lab/backend"
	"github.com/evenkeel/evenkeel/lab/record"
	"github.com/evenkeel/evenkeel/lab/scenario"
)

// Leavings are the ends of the names of what a trial leaves beside its record:
//
//	.vegeta.gob      its results as vegeta has them, for vegeta report and vegeta plot
//	.servers.csv.gz  what the servers say of each request
//	.servers.prom    the servers' metrics at its end, for each phase apart
//	.conf            what the proxy was started with
var Leavings = []string{".vegeta.gob", ".servers.csv.gz", ".servers.prom", ".conf"}

// leaving is the beginning of the names for a trial. A trial that is played again replaces
// what it left.
func leaving(dir string, s *scenario.Scenario, subject scenario.Subject, seed uint64) string {
	return filepath.Join(dir, record.Folder,
		strings.Join([]string{record.Safe(s.Name), record.Live, record.Safe(subject.Name), strconv.FormatUint(seed, 10)}, "."))
}

// leave writes what a trial leaves.
func (d Driver) leave(s *scenario.Scenario, subject scenario.Subject, seed uint64, config []byte, a *assault) error {
	if d.Dir == "" {
		return nil
	}
	path := leaving(d.Dir, s, subject, seed)
	for i, write := range []func(io.Writer) error{
		func(w io.Writer) error { return writeVegeta(w, subject.Name, a) },
		func(w io.Writer) error { return writeEntries(w, a.joined.entries) },
		func(w io.Writer) error {
			for _, b := range a.fleet {
				b.WriteMetrics(w)
			}
			return nil
		},
		func(w io.Writer) error {
			_, err := w.Write(config)
			return err
		},
	} {
		if err := writeTo(path+Leavings[i], write); err != nil {
			return err
		}
	}
	return nil
}

// writeTo writes a file.
func writeTo(path string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	b := bufio.NewWriterSize(f, 64<<10)
	if err := write(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return b.Flush()
}

// writeVegeta writes the requests as vegeta's results, in its gob encoding. Their time and
// their latency count from the plan, so that what vegeta reports of them has no
// coordinated omission. They stand in the order of their numbers, which vegeta plot needs.
func writeVegeta(w io.Writer, attack string, a *assault) error {
	encoder := vegeta.NewEncoder(w)
	targets := a.scenario.Requests.Targets
	for i := range a.requests {
		r := &a.requests[i]
		one := vegeta.Result{
			Attack: attack, Seq: uint64(r.Seq), Code: uint16(r.Code),
			Timestamp: a.began.Add(time.Duration(r.Planned)), Latency: r.ResponseTime(),
			Method: http.MethodGet, URL: a.target + "/",
		}
		if n := int64(len(targets)); n > 0 {
			t := &targets[r.Seq%n]
			one.Method, one.URL = t.Method, a.target+t.URL.RequestURI()
		}
		switch {
		case r.Code == 0:
			one.Error = "no answer"
		case !r.OK():
			one.Error = strconv.Itoa(r.Code)
		}
		if err := encoder.Encode(&one); err != nil {
			return err
		}
	}
	return nil
}

// writeEntries writes what the servers say, a row for each time that a request reached one.
func writeEntries(w io.Writer, entries []backend.Entry) error {
	zw := gzip.NewWriter(w)
	fmt.Fprintln(zw, "seq,server,arrived_ns,done_ns,code")
	for _, e := range entries {
		fmt.Fprintf(zw, "%d,%d,%d,%d,%d\n", e.Seq, e.Server, int64(e.Arrived), int64(e.Done), e.Code)
	}
	return zw.Close()
}
