package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// recorded are some results as vegeta has them, not in the order of their time.
func recorded() []vegeta.Result {
	began := time.Unix(1_700_000_000, 5).UTC()
	all := []vegeta.Result{
		{Seq: 1, Code: 200, Timestamp: began.Add(250 * time.Millisecond), Latency: 30 * time.Millisecond, Method: "POST", URL: "http://somewhere/items?a=1", Body: []byte("answer\n")},
		{Seq: 0, Code: 0, Timestamp: began, Latency: 5 * time.Millisecond, Method: "GET", URL: "http://somewhere:81", Error: `dial: "no", at all`},
		{Seq: 2, Code: 503, Timestamp: began.Add(time.Second + 1), Latency: 10 * time.Millisecond, Method: "GET", URL: "http://somewhere/", Headers: http.Header{"X-Answer": {"1"}}},
	}
	for i := range all {
		all[i].Attack = "yesterday"
	}
	return all
}

// encodings of vegeta's own.
var encodings = map[string]func(io.Writer) vegeta.Encoder{gobbed: vegeta.NewEncoder, csvs: vegeta.NewCSVEncoder, jsons: vegeta.NewJSONEncoder}

func encoded(t testing.TB, encoding string, all []vegeta.Result) []byte {
	t.Helper()
	var b bytes.Buffer
	encode := encodings[encoding](&b)
	for i := range all {
		if err := encode(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// What vegeta has written is recognised, and read as it was.
func TestResults(t *testing.T) {
	ms := time.Millisecond
	for encoding := range encodings {
		path := filepath.Join(t.TempDir(), "results")
		text := encoded(t, encoding, recorded())
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		instants, err := readTimes(path, instantsOf)
		if diff := cmp.Diff([]time.Duration{0, 250 * ms, time.Second + 1}, instants); diff != "" || err != nil {
			t.Errorf("%s: %v, instants (-want +got):\n%s", encoding, err, diff)
		}
		latencies, err := readTimes(path, latenciesOf)
		if diff := cmp.Diff([]time.Duration{5 * ms, 10 * ms, 30 * ms}, latencies); diff != "" || err != nil {
			t.Errorf("%s: %v, latencies (-want +got):\n%s", encoding, err, diff)
		}
		targets, err := readTargets(path)
		var asked []string
		for _, x := range targets {
			asked = append(asked, fmt.Sprintf("%s %s %d %d", x.Method, x.URL.RequestURI(), len(x.Body), len(x.Header)))
		}
		if want := []string{"POST /items?a=1 0 0", "GET / 0 0", "GET / 0 0"}; err != nil || !slices.Equal(asked, want) {
			t.Errorf("%s: targets %q, %v, want %q", encoding, asked, err, want)
		}
		// The end of the file is missing: never a silent half.
		for _, cut := range []int{len(text) - 45, len(text) / 2} {
			got, err := readResults(encoding, bytes.NewReader(text[:cut]))
			if err == nil || !strings.HasPrefix(err.Error(), "expected vegeta's results as "+encoding+"; result ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %d of %d bytes: got %d results, %v, want an error in one line", encoding, cut, len(text), len(got), err)
			}
		}
	}
}

func TestResultsRefused(t *testing.T) {
	for _, c := range []struct{ encoding, text, want string }{
		{jsons, "{}\n", "expected vegeta's results as json; result 1: it has no timestamp"},
		{jsons, `{"timestamp": "2026-01-02T03:04:05Z", "latency": "x"}`, "result 1: json: "},
		{csvs, "1,200,x,0,0,,,a,0,GET,http://x/,\n", `result 1: strconv.ParseInt: parsing "x"`},
		{csvs, "1,200,7,0,0,,,a,0,GET,http://x/,\n2,200\n", "result 2: record on line 2: wrong number of fields"},
		{gobbed, "\x07nothing", "expected vegeta's results as gob; result 1: "},
		{gobbed, "", "result 1: the file ends in the middle"},
	} {
		got, err := readResults(c.encoding, strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, %v, want %q", c.text, got, err, c.want)
		}
	}
	// What is no result is a file of times.
	for _, text := range []string{"", "0.5\n", "seconds\n1\n", "1,2,3\n", "# a,b,c,d,e,f,g,h,i,j,k,l\n", "a,b,c,d,e,f,g,h,i,j,k,l\n", "1,2,3,4,5,6,7,8,9,10,11\n"} {
		if got := encodingOf([]byte(text)); got != noResults {
			t.Errorf("%q: taken for %s", text, got)
		}
	}
}

const targets = `# what the shop asks for
GET http://localhost/items/1?full=1
Accept: application/json
X-Twice: 1
# in between
X-Twice: 2

POST http://localhost:81/items
Content-Type: application/json
@item.json
GET /only/a/path
DELETE http://localhost
`

// What we read of targets is what vegeta reads.
func TestTargets(t *testing.T) {
	open := func(name string) ([]byte, error) { return []byte("body of " + name), nil }
	got, err := parseTargets(strings.NewReader(targets), open)
	if err != nil || len(got) != 4 {
		t.Fatalf("got %d targets, %v, want 4", len(got), err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "item.json"), []byte("body of item.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	theirs, err := vegeta.ReadAllTargets(vegeta.NewHTTPTargeter(strings.NewReader(strings.ReplaceAll(targets, "@", "@"+dir+"/")), nil, nil))
	if err != nil || len(theirs) != len(got) {
		t.Fatalf("vegeta reads %d targets, %v", len(theirs), err)
	}
	for i, want := range theirs {
		if want.URL == "http://localhost" {
			want.URL += "/"
		}
		if g := got[i]; g.Method != want.Method || g.URL.String() != want.URL || !bytes.Equal(g.Body, want.Body) || !cmp.Equal(g.Header, want.Header) {
			t.Errorf("target %d: got %+v, vegeta reads %+v", i, g, want)
		}
	}
	var b bytes.Buffer
	encode := vegeta.NewJSONTargetEncoder(&b)
	for i := range theirs {
		if err := encode(&theirs[i]); err != nil {
			t.Fatal(err)
		}
	}
	again, err := parseTargets(&b, nil)
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("as JSON: %v (-http +json):\n%s", err, diff)
	}
}

func TestTargetsRefused(t *testing.T) {
	missing := func(string) ([]byte, error) { return nil, os.ErrNotExist }
	for text, want := range map[string]string{
		"":                                     "expected vegeta's targets (METHOD URL, or JSON, one a line) or results, found none",
		"# nothing\n":                          "expected vegeta's targets",
		"hello\n":                              `1:1: expected METHOD URL, found "hello"`,
		"get http://x/\n":                      `1:1: expected METHOD URL, found "get http://x/"`,
		"\nGET no url\n":                       `2:1: expected a URL, found "no url"`,
		"GET mailto:x\n":                       `1:1: expected a URL, found "mailto:x"`,
		"GET http://x/\nno colon\n":            `2:1: expected a header NAME: VALUE, found "no colon"`,
		"GET http://x/\nA B: c\n":              `2:1: expected a URL, found "B: c"`,
		"GET http://x/\n: c\n":                 `2:1: expected a header NAME: VALUE, found ""`,
		"GET http://x/\n@missing\n":            "2:1: file does not exist",
		"GET http://x/\n@missing\nA: b\n":      "2:1: file does not exist",
		`{"method": "GET"}`:                    `1:1: expected a URL, found ""`,
		`{"method": "GET", "url": "http://x/"`: "1:1: expected a target as JSON: unexpected end of JSON input",
		"{\"method\": \"\", \"url\": \"/\"}":   `1:1: expected a method such as GET, found ""`,
		`{"method": "GET", "url": "/", "header": {"A": ["b\nc"]}}`: `1:1: header A: "b\nc" cannot be sent`,
		`{"method": "GET", "url": "/", "header": {"A": []}}`:       `1:1: expected a header NAME: VALUE, found "A"`,
	} {
		got, err := parseTargets(strings.NewReader(text), missing)
		if one, ok := errors.AsType[strict.Error](err); ok && one.Line > 0 {
			err = fmt.Errorf("%d:%d: %s", one.Line, one.Col, one.Message)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q", text, got, err, want)
		}
	}
}

// FuzzTargets: whatever the file is, there is a message or targets that can be asked for.
func FuzzTargets(f *testing.F) {
	f.Add([]byte(targets))
	for encoding := range encodings {
		f.Add(encoded(f, encoding, recorded()))
	}
	f.Add([]byte(`{"method": "GET", "url": "http://x/?y", "body": "eA==", "header": {"A": ["b"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseTargets(bytes.NewReader(text), func(string) ([]byte, error) { return []byte("x"), nil })
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("got %d targets and %v", len(got), err)
		}
		for _, one := range got {
			r, err := http.NewRequest(one.Method, "http://127.0.0.1"+one.URL.RequestURI(), nil)
			if err != nil {
				t.Fatalf("%+v cannot be asked for: %v", one, err)
			}
			r.Header = one.Header
			if err := r.Write(io.Discard); err != nil {
				t.Fatalf("%+v cannot be sent: %v", one, err)
			}
		}
	})
}

// FuzzResults: whatever the file is, there is a message or times.
func FuzzResults(f *testing.F) {
	for encoding := range encodings {
		f.Add(encoded(f, encoding, recorded()))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		encoding := encodingOf(text)
		if encoding == noResults {
			return
		}
		all, err := readResults(encoding, bytes.NewReader(text))
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("got %d results and %v", len(all), err)
		}
		if err != nil {
			return
		}
		for _, times := range [][]time.Duration{instantsOf(all), latenciesOf(all)} {
			if len(times) != len(all) || times[0] < 0 || !slices.IsSorted(times) {
				t.Fatalf("of %d results: got %v", len(all), times)
			}
		}
	})
}
