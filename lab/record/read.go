package record

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/evenkeel/evenkeel/core"
)

// Error says where a record is broken and what should have been there.
type Error struct {
	File     string // empty when the record did not come from a file
	Line     int    // of the text inside, from 1; 0 when it is not even compressed text
	Expected string
	Err      error // what went wrong underneath, if anything did
}

func (e *Error) Error() string {
	file := e.File
	if file == "" {
		file = "record"
	}
	text := fmt.Sprintf("%s:%d: expected %s", file, e.Line, e.Expected)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what went wrong underneath.
func (e *Error) Unwrap() error { return e.Err }

// maxLine bounds a line: a header with the names of 100,000 endpoints fits, a
// bomb does not.
const maxLine = 16 << 20

// Read reads what Write wrote and tells each request as it comes, so that a trial need not
// fit into memory. Anything else is an *Error; what was told before it is then not to be
// relied upon.
func Read(r io.Reader, each func(Request)) (Header, error) {
	rd, err := open(r)
	if err != nil {
		return Header{}, err
	}
	last := int64(-1)
	for {
		line, err := rd.next("a row")
		if err != nil {
			return Header{}, err
		}
		if line == nil {
			return rd.header, nil
		}
		var q Request
		if err := q.parse(line); err != nil {
			return Header{}, rd.fail(columns, err)
		}
		if expected := q.wrong(last, len(rd.header.Endpoints)); expected != "" {
			return Header{}, rd.fail(expected, fmt.Errorf("got %q", line))
		}
		last = q.Seq
		each(q)
	}
}

// reader reads the lines of a record, and knows which one it is at.
type reader struct {
	lines  *bufio.Reader
	line   int
	header Header
}

// open reads as far as the rows.
func open(r io.Reader) (*reader, error) {
	rd := &reader{}
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, rd.fail("a gzip'ed record", err)
	}
	rd.lines = bufio.NewReaderSize(zr, 64<<10)

	line, err := rd.next("\"# \" and the header")
	if err != nil {
		return nil, err
	}
	head, ok := bytes.CutPrefix(line, []byte("# "))
	if !ok {
		return nil, rd.fail("\"# \" and the header", nil)
	}
	// The version is looked at first: a record of another version has other fields.
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(head, &v); err != nil {
		return nil, rd.fail("the header as JSON", err)
	}
	if v.Version != Version {
		return nil, rd.fail(fmt.Sprintf("version %d", Version), fmt.Errorf("got %d", v.Version))
	}
	dec := json.NewDecoder(bytes.NewReader(head))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&rd.header); err != nil {
		return nil, rd.fail("the header as JSON", err)
	}

	line, err = rd.next(columns)
	if err != nil {
		return nil, err
	}
	if string(line) != columns {
		return nil, rd.fail(columns, nil)
	}
	return rd, nil
}

// next returns the next line, valid until the next call; nil at the end.
func (rd *reader) next(expected string) ([]byte, error) {
	rd.line++
	line, err := rd.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = rd.longer(line)
	}
	switch {
	case err == nil:
		return line[:len(line)-1], nil
	case !errors.Is(err, io.EOF):
		return nil, rd.fail(expected, err)
	case len(line) > 0:
		return nil, rd.fail(expected+" that ends in a newline", nil)
	}
	return nil, nil
}

// longer reads on a line that does not fit into the buffer.
func (rd *reader) longer(part []byte) (line []byte, err error) {
	line = bytes.Clone(part)
	for len(line) < maxLine {
		part, err = rd.lines.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
	return nil, fmt.Errorf("a line above %d bytes", maxLine)
}

func (rd *reader) fail(expected string, err error) *Error {
	return &Error{Line: rd.line, Expected: expected, Err: err}
}

// parse reads a row, in the order of columns.
func (r *Request) parse(line []byte) error {
	var n [7]int64
	for i := range n {
		field := line
		if at := bytes.IndexByte(line, ','); (at >= 0) != (i < len(n)-1) {
			return fmt.Errorf("got %d fields in %q", i+1+bytes.Count(line, []byte(",")), line)
		} else if at >= 0 {
			field, line = line[:at], line[at+1:]
		}
		v, ok := parseInt(field)
		if !ok {
			return fmt.Errorf("got %q for a whole number", field)
		}
		n[i] = v
	}
	if n[4] != int64(int(n[4])) || n[5] != int64(int(n[5])) || n[6] != int64(int(n[6])) {
		return errors.New("got a number out of range")
	}
	*r = Request{
		Seq: n[0], Planned: core.Instant(n[1]), Sent: core.Instant(n[2]), Done: core.Instant(n[3]),
		Endpoint: int(n[4]), Attempts: int(n[5]), Code: int(n[6]),
	}
	return nil
}

// parseInt is strconv.ParseInt in base 10 for the one spelling that Write uses:
// no plus sign, no leading zeros.
func parseInt(b []byte) (int64, bool) {
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	if len(digits) > 18 { // may not fit: the slow way knows
		v, err := strconv.ParseInt(string(b), 10, 64)
		return v, err == nil && v != math.MinInt64
	}
	var v int64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = 10*v + int64(c-'0')
	}
	if len(digits) < len(b) {
		v = -v
	}
	return v, true
}

// ReadFile is Read of a file, which its errors name.
func ReadFile(path string, each func(Request)) (Header, error) {
	f, err := os.Open(path)
	if err != nil {
		return Header{}, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	h, err := Read(f, each)
	return h, inFile(err, path)
}

// inFile adds the file to an error of this package.
func inFile(err error, path string) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.File = path
	}
	return err
}

// CheckFolder reads every record in the results folder dir: each has to be the one of its
// name, whole and undamaged (by the sum that gzip keeps), with nothing but rows that Write
// would have written. A folder without records is fine.
func CheckFolder(dir string) error {
	folder := filepath.Join(dir, Folder)
	files, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("record: %w", err)
	}
	for _, f := range files {
		if named.MatchString(f.Name()) {
			if err := checkFile(filepath.Join(folder, f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// named are the names of records, and not of what else may lie beside them: see FileName.
var named = regexp.MustCompile(`\.b\d+` + regexp.QuoteMeta(Extension) + `$`)

func checkFile(path string) error {
	h, err := ReadFile(path, func(Request) {})
	if err != nil {
		return err
	}
	if name, err := FileName(&h); err != nil || name != filepath.Base(path) {
		return inFile(&Error{Line: 1, Expected: "the header of the trial in its name", Err: err}, path)
	}
	return nil
}
