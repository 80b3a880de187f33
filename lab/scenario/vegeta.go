package scenario

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// What vegeta writes (vegeta attack, vegeta encode) can be played: when its requests were
// sent, how long they took, what they asked for. The three encodings are read here by
// ourselves, so that whoever plays scenarios need not link a load generator.

// result is what matters of one of vegeta's results. Its fields are called as there: gob and
// JSON go by that.
type result struct {
	Timestamp time.Time     `json:"timestamp"`
	Latency   time.Duration `json:"latency"`
	Method    string        `json:"method"`
	URL       string        `json:"url"`
}

// Encodings of vegeta's results.
const (
	noResults = ""
	gobbed    = "gob"
	jsons     = "json"
	csvs      = "csv"
)

// columns of a result in CSV; a timestamp, a latency, a method and a URL are those numbered.
const (
	columns       = 12
	columnTime    = 0
	columnLatency = 2
	columnMethod  = 9
	columnURL     = 10
)

// encodingOf guesses the encoding of results by their beginning; noResults when they are
// none. JSON that is no result is found out later.
func encodingOf(head []byte) string {
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(trimmed) > 0 && trimmed[0] == '{':
		return jsons
	case slices.ContainsFunc(head, func(b byte) bool { return b < ' ' && b != '\t' && b != '\r' && b != '\n' }) || len(head) > 0 && head[0] >= utf8.RuneSelf:
		return gobbed
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	first, _, _ := bytes.Cut(line, []byte(","))
	if _, err := strconv.ParseInt(string(first), 10, 64); err == nil && bytes.Count(line, []byte(",")) >= columns-1 {
		return csvs
	}
	return noResults
}

// readResults reads vegeta's results in the encoding. An error says which result, or line,
// is wrong.
func readResults(encoding string, r io.Reader) (all []result, err error) {
	next := nextResult(encoding, r)
	for len(all) < MaxLines {
		var one result
		switch err := next(&one); {
		case errors.Is(err, io.EOF) && len(all) > 0:
			return all, nil
		case err == nil && one.Timestamp.IsZero():
			err = errors.New("it has no timestamp")
			fallthrough
		case err != nil:
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errors.New("the file ends in the middle")
			}
			return nil, fmt.Errorf("expected vegeta's results as %s; result %d: %w", encoding, len(all)+1, err)
		}
		all = append(all, one)
	}
	return nil, fmt.Errorf("expected at most %d results", MaxLines)
}

// nextResult decodes one after the other; io.EOF at the end.
func nextResult(encoding string, r io.Reader) func(*result) error {
	switch encoding {
	case gobbed:
		dec := gob.NewDecoder(r)
		return func(one *result) error { return dec.Decode(one) }
	case jsons:
		dec := json.NewDecoder(r)
		return func(one *result) error { return dec.Decode(one) }
	}
	rows := csv.NewReader(r)
	rows.FieldsPerRecord, rows.TrimLeadingSpace, rows.ReuseRecord = columns, true, true
	return func(one *result) error {
		row, err := rows.Read()
		if err != nil {
			return err
		}
		at, err := strconv.ParseInt(row[columnTime], 10, 64)
		if err != nil {
			return err
		}
		took, err := strconv.ParseInt(row[columnLatency], 10, 64)
		*one = result{time.Unix(0, at), time.Duration(took), row[columnMethod], row[columnURL]}
		return err
	}
}

// instantsOf are when the results' requests were sent, from the first one's time on and
// ascending.
func instantsOf(all []result) (times []time.Duration) {
	first := slices.MinFunc(all, func(a, b result) int { return a.Timestamp.Compare(b.Timestamp) }).Timestamp
	for _, r := range all {
		times = append(times, r.Timestamp.Sub(first))
	}
	slices.Sort(times)
	return times
}

// latenciesOf are how long the results' requests took, ascending.
func latenciesOf(all []result) (times []time.Duration) {
	for _, r := range all {
		times = append(times, max(r.Latency, 0))
	}
	slices.Sort(times)
	return times
}

// peek returns a reader of the same and its beginning, in which a line of a result has room.
func peek(r io.Reader) (*bufio.Reader, []byte) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, _ := b.Peek(4 << 10)
	return b, head
}
