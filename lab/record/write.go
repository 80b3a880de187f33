package record

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// columns is the second line of a record, after the header.
const columns = "seq,planned_ns,sent_ns,done_ns,endpoint,attempts,code"

// flushAt is how many bytes of rows are gathered before they go to the
// compressor: large enough that the calls do not count, small enough to stay in
// a core's cache.
const flushAt = 32 << 10

// Write writes the trial as gzip'ed text:
//
//	# {"version":1,"scenario":"one-slow", …}
//	seq,planned_ns,sent_ns,done_ns,endpoint,attempts,code
//	0,417,417,10245812,3,1,200
//
// the header as JSON in one line, the names of the columns, and a row per request
// in rising order of seq. The bytes depend on the trial alone. The header is
// written with the Version of this package, whatever t says. A trial that Read
// would refuse is refused here.
func Write(w io.Writer, t *Trial) error {
	h := t.Header
	h.Version = Version
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("record: header: %w", err)
	}
	// The fastest level: on records it is five times as fast as the default one
	// and the file a fifth larger (BenchmarkWrite with either).
	zw, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	buf := make([]byte, 0, flushAt+256)
	buf = append(buf, "# "...)
	buf = append(buf, head...)
	buf = append(buf, '\n')
	buf = append(buf, columns...)
	buf = append(buf, '\n')

	last := int64(-1)
	for i := range t.Requests {
		r := &t.Requests[i]
		if expected := r.wrong(last, len(h.Endpoints)); expected != "" {
			return fmt.Errorf("record: request %d (seq %d): expected %s", i, r.Seq, expected)
		}
		last = r.Seq
		buf = r.append(buf)
		if len(buf) >= flushAt {
			if _, err := zw.Write(buf); err != nil {
				return fmt.Errorf("record: %w", err)
			}
			buf = buf[:0]
		}
	}
	if _, err := zw.Write(buf); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := zw.Close(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// append appends the row of r, in the order of columns.
func (r *Request) append(b []byte) []byte {
	b = append(strconv.AppendInt(b, r.Seq, 10), ',')
	b = append(strconv.AppendInt(b, int64(r.Planned), 10), ',')
	b = append(strconv.AppendInt(b, int64(r.Sent), 10), ',')
	b = append(strconv.AppendInt(b, int64(r.Done), 10), ',')
	b = append(strconv.AppendInt(b, int64(r.Endpoint), 10), ',')
	b = append(strconv.AppendInt(b, int64(r.Attempts), 10), ',')
	return append(strconv.AppendInt(b, int64(r.Code), 10), '\n')
}

// wrong says what a request that follows seq last should have had; it is empty
// for a sound one.
func (r *Request) wrong(last int64, endpoints int) string {
	switch {
	case r.Seq <= last:
		return "seq above " + strconv.FormatInt(last, 10)
	case r.Planned < 0:
		return "planned_ns of at least 0"
	case r.Done < r.Planned:
		return "done_ns of at least planned_ns"
	case r.Endpoint < -1 || r.Endpoint >= endpoints:
		return fmt.Sprintf("endpoint from -1 to %d", endpoints-1)
	case r.Attempts < 0:
		return "attempts of at least 0"
	case r.Code < 0 || r.Code > 999:
		return "code from 0 to 999"
	}
	return ""
}

// WriteFile writes the trial under the results folder dir, to
// DIR/records/<file name> (see FileName), and returns the path. The file appears
// whole or not at all; an older record of the same trial is replaced. It is safe
// to call concurrently for different trials.
func WriteFile(dir string, t *Trial) (path string, err error) {
	name, err := FileName(&t.Header)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(dir, Folder)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	f, err := os.CreateTemp(folder, ".tmp-*")
	if err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	bw := bufio.NewWriterSize(f, 64<<10)
	if err := Write(bw, t); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if err := bw.Flush(); err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	if err := f.Chmod(0o644); err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	path = filepath.Join(folder, name)
	if err := os.Rename(f.Name(), path); err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	return path, nil
}
