package proxy_test

import (
	"strings"
	"testing"
)

// get and post are heads of requests that want only what follows.
const (
	get  = "GET / HTTP/1.1\r\nHost: a\r\n"
	post = "POST / HTTP/1.1\r\nHost: a\r\n"
	// hidden is what an attacker would like to have taken for a request of its own.
	hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
)

// Where a message ends must be beyond doubt.
func TestFramingOfBodies(t *testing.T) {
	testCorpus(t, []framingCase{
		{"no body", get + "\r\n", "200 kept", "GET /"},
		{"a length", post + "Content-Length: 5\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"a length of nothing", post + "Content-Length: 0\r\n\r\n", "200 kept", "POST / [0] "},
		{"leading zeros", post + "Content-Length: 005\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"space around a length", post + "Content-Length: \t 5 \t\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"a name in lower case", post + "content-length:5\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"chunks", post + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "200 kept", "POST / [chunked] hello"},
		{"chunks of nothing", post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 kept", "POST / [chunked] "},
		{"a coding in another case", post + "Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "200 kept", "POST / [chunked] hello"},
		{"a body of a GET", get + "Content-Length: 5\r\n\r\nhello", "200 kept", "GET / [5] hello"},
		{"chunks of a GET", get + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "200 kept", "GET / [chunked] hello"},
		{"a body of a HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "HEAD / [5] hello"},
		{"a body of a DELETE", "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "DELETE / [5] hello"},
		{"a body of an OPTIONS", "OPTIONS / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "OPTIONS / [5] hello"},
		{"a body of an unknown method", "PURGE / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "PURGE / [5] hello"},
		{"a POST without a length", post + "\r\n", "200 kept", "POST / [0] "},
		{"a body that looks like a request", post + "Content-Length: 33\r\n\r\n" + hidden, "200 kept", "POST / [33] " + hidden},

		{"a length and chunks", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, "400 closed", ""},
		{"chunks and a length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + hidden, "400 closed", ""},
		{"chunks and no length", post + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n" + hidden, "400 closed", ""},
		{"chunks and a length in other cases", post + "tRANSFER-eNCODING: chunked\r\ncONTENT-lENGTH: 5\r\n\r\n0\r\n\r\n" + hidden, "400 closed", ""},
		{"chunks and a bad length", post + "Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n" + hidden, "400 closed", ""},
		{"two lengths", post + "Content-Length: 0\r\nContent-Length: 33\r\n\r\n" + hidden, "400 closed", ""},
		{"a length twice", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400 closed", ""},
		{"a list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello", "400 closed", ""},
		{"a length with a plus", post + "Content-Length: +5\r\n\r\nhello", "400 closed", ""},
		{"a length with a minus", post + "Content-Length: -5\r\n\r\nhello", "400 closed", ""},
		{"a length in hexadecimal", post + "Content-Length: 0x5\r\n\r\nhello", "400 closed", ""},
		{"a length with an underscore", post + "Content-Length: 1_0\r\n\r\nhellohello", "400 closed", ""},
		{"a length with a fraction", post + "Content-Length: 5.0\r\n\r\nhello", "400 closed", ""},
		{"a length with a space inside", post + "Content-Length: 1 0\r\n\r\nhello", "400 closed", ""},
		{"an empty length", post + "Content-Length:\r\n\r\n" + hidden, "400 closed", ""},
		{"a length beyond 63 bits", post + "Content-Length: 9223372036854775808\r\n\r\nhello", "400 closed", ""},
		{"a length that wraps round", post + "Content-Length: 18446744073709551621\r\n\r\nhello", "400 closed", ""},
		{"a length in wide digits", post + "Content-Length: \xef\xbc\x95\r\n\r\nhello", "400 closed", ""},
		{"a length far behind its name", post + "Content-Length:" + strings.Repeat(" ", 80) + "5\r\n\r\nhello", "400 closed", ""},
		{"a coding twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a coding and another", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a coding that ends with chunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a coding that begins with it", post + "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"two codings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 closed", ""},
		{"chunked and another", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"identity", post + "Transfer-Encoding: identity\r\n\r\n", "400 closed", ""},
		{"no coding", post + "Transfer-Encoding:\r\n\r\n", "400 closed", ""},
		{"a coding in quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a coding with a parameter", post + "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a coding behind a vertical tab", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a coding behind a NUL", post + "Transfer-Encoding: \x00chunked\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a coding with a space before the colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden, "400 closed", ""},
		{"a length with a space before the colon", post + "Content-Length : 35\r\n\r\n" + hidden, "400 closed", ""},
		{"a coding in another name", post + "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"a coding behind a name", post + "X: Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"a coding in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden, "400 closed", ""},
		{"a coding and a length in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a length that is not reached (hangs up)", post + "Content-Length: 10\r\n\r\nhello", "closed", "POST / [10] hello (broken off)"},
	})
}

func TestFramingOfChunks(t *testing.T) {
	const chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
	broken := "POST / [chunked]  (broken off)"
	testCorpus(t, []framingCase{
		{"a size in capitals", chunked + "A\r\nhellohello\r\n0\r\n\r\n", "200 kept", "POST / [chunked] hellohello"},
		{"leading zeros", chunked + "0005\r\nhello\r\n00\r\n\r\n", "200 kept", "POST / [chunked] hello"},
		{"an extension, which goes no further", chunked + "5;a=b\r\nhello\r\n0;c\r\n\r\n", "200 kept", "POST / [chunked] hello"},
		{"an extension in quotes", chunked + "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", "200 kept", "POST / [chunked] hello"},
		{"space in an extension", chunked + "5; a =\tb\r\nhello\r\n0\r\n\r\n", "200 kept", "POST / [chunked] hello"},
		{"space before an extension", chunked + "5 ;a\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"space behind a size", chunked + "5 \t\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"an extension without a name", chunked + "5;\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"an extension with a NUL", chunked + "5;a\x00\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"an extension that is no token", chunked + "5;[\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"space before a size", chunked + " 5\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"no size", chunked + "\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size with 0x", chunked + "0x5\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size with a plus", chunked + "+5\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size with a minus", chunked + "-1\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size with an underscore", chunked + "0_5\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size that wraps round", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size of 64 bits", chunked + "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size that is no number", chunked + "g\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a size that ends in a line feed", chunked + "5\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"an extension with a line feed", chunked + "5;a\nhello\r\n0\r\n\r\n" + hidden, "400 closed", broken},
		{"an extension with a carriage return", chunked + "5;\ra\r\nhello\r\n0\r\n\r\n" + hidden, "400 closed", broken},
		{"an extension without end", chunked + "5;" + strings.Repeat("a", 5000) + "\r\nhello\r\n0\r\n\r\n", "400 closed", broken},
		{"a chunk longer than its size", chunked + "3\r\nhello\r\n0\r\n\r\n", "400 closed", "POST / [chunked] hel (broken off)"},
		{"a chunk shorter than its size", chunked + "6\r\nhello\r\n0\r\n\r\n" + hidden, "400 closed", "POST / [chunked] hello\r (broken off)"},
		{"a chunk that ends in a line feed", chunked + "5\r\nhello\n0\r\n\r\n", "400 closed", "POST / [chunked] hello (broken off)"},
		{"an end that ends in a line feed", chunked + "0\n\r\n" + hidden, "400 closed", broken},
		{"an end without a line (hangs up)", chunked + "0\r\n", "closed", broken},
		{"no end (hangs up)", chunked + "5\r\nhello\r\n", "closed", "POST / [chunked] hello (broken off)"},
		{"a request where a chunk should be", chunked + hidden, "400 closed", broken},
	})
}

func TestFramingOfTrailers(t *testing.T) {
	trailing := func(names, fields string) string {
		return post + "TE: trailers\r\nTrailer: " + names + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" + fields + "\r\n"
	}
	testCorpus(t, []framingCase{
		{"one that was announced", trailing("X-Sum", "X-Sum: 1\r\n"), "200 kept", "POST / [chunked] hello{X-Sum: 1}"},
		{"none that was announced", trailing("X-Sum", ""), "200 kept", "POST / [chunked] hello"},
		{"one that was not announced", post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n", "200 kept", "POST / [chunked] "},
		{"a length announced", trailing("Content-Length", "Content-Length: 1\r\n"), "400 closed", ""},
		{"a coding announced", trailing("Transfer-Encoding", ""), "400 closed", ""},
		{"a length beside another", trailing("X-Sum", "Content-Length: 1\r\nX-Sum: 1\r\n"), "200 kept", "POST / [chunked] hello{X-Sum: 1}"},
		{"a coding beside another", trailing("X-Sum", "Transfer-Encoding: chunked\r\nX-Sum: 1\r\n"), "200 kept", "POST / [chunked] hello{X-Sum: 1}"},
		{"a host", trailing("Host, X-Sum", "Host: b\r\nX-Sum: 1\r\n"), "200 kept", "POST / [chunked] hello{X-Sum: 1}"},
		{"a right", trailing("Authorization, X-Sum", "Authorization: b\r\nX-Sum: 1\r\n"), "200 kept", "POST / [chunked] hello{X-Sum: 1}"},
		{"a client", trailing("X-Forwarded-For, X-Sum", "X-Forwarded-For: 1.2.3.4\r\nX_Real_IP: 1.2.3.4\r\nX-Sum: 1\r\n"), "200 kept", "POST / [chunked] hello{X-Sum: 1}"},
		{"a connection", trailing("Connection", "Connection: close\r\n"), "200 kept", "POST / [chunked] hello"},
		{"a name with a space", trailing("X-Sum", "X-Sum : 1\r\n"), "200 kept", "POST / [chunked] hello"},
		{"no name", trailing("X-Sum", ": 1\r\n"), "400 closed", "POST / [chunked] hello (broken off)"},
		{"no colon", trailing("X-Sum", hidden), "400 closed", "POST / [chunked] hello (broken off)"},
		{"a folded line", trailing("X-Sum", "X-Sum: 1\r\n 2\r\n"), "400 closed", "POST / [chunked] hello (broken off)"},
		{"a line feed alone", trailing("X-Sum", "X-Sum: 1\n"), "400 closed", "POST / [chunked] hello (broken off)"},
		{"one without end", trailing("X-Sum", "X-Sum: "+strings.Repeat("1", 8<<10)+"\r\n"), "400 closed", "POST / [chunked] hello (broken off)"},
	})
}

// Lines and what they are made of.
func TestFramingOfHeads(t *testing.T) {
	many := strings.Repeat("X: 1\r\n", 31)
	testCorpus(t, []framingCase{
		{"a tab before a value", get + "X:\t1\r\n\r\n", "200 kept", "GET /"},
		{"a high byte in a value", get + "X: \xe4\r\n\r\n", "200 kept", "GET /"},
		{"an empty value", get + "X:\r\n\r\n", "200 kept", "GET /"},
		{"an empty line before a request", "\r\n" + get + "\r\n", "200 kept", "GET /"},
		{"an empty line between requests", get + "\r\n\r\n" + get + "\r\n", "200 200 kept", "GET /\nGET /"},
		{"two empty lines before a request", "\r\n\r\n" + get + "\r\n", "400 closed", ""},
		{"an empty line of a carriage return", "\r" + get + "\r\n", "400 closed", ""},
		{"an empty line behind a body", post + "Content-Length: 5\r\n\r\nhello\r\n", "200 kept", "POST / [5] hello"},
		{"line feeds alone", "GET / HTTP/1.1\nHost: a\n\n", "400 closed", ""},
		{"one line feed alone", get + "X: 1\n\r\n", "400 closed", ""},
		{"an end with a line feed alone", get + "X: 1\r\n\n" + hidden, "400 closed", ""},
		{"a carriage return alone", get + "X: 1\rY: 2\r\n\r\n", "400 closed", ""},
		{"two carriage returns", get + "X: 1\r\r\n\r\n", "400 closed", ""},
		{"a carriage return in a name", get + "X\rY: 2\r\n\r\n", "400 closed", ""},
		{"a folded line", get + "X: 1\r\n 2\r\n\r\n", "400 closed", ""},
		{"a line folded with a tab", get + "X: 1\r\n\t2\r\n\r\n", "400 closed", ""},
		{"a folded coding", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400 closed", ""},
		{"a folded first line", "GET / HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n", "400 closed", ""},
		{"a NUL in a value", get + "X: 1\x002\r\n\r\n", "400 closed", ""},
		{"a NUL in a name", get + "X\x00: 1\r\n\r\n", "400 closed", ""},
		{"a DEL in a value", get + "X: \x7f\r\n\r\n", "400 closed", ""},
		{"a space in a name", get + "X Y: 1\r\n\r\n", "400 closed", ""},
		{"a space before a colon", get + "X : 1\r\n\r\n", "400 closed", ""},
		{"no name", get + ": 1\r\n\r\n", "400 closed", ""},
		{"no colon", get + "X\r\n\r\n", "400 closed", ""},
		{"a high byte in a name", get + "X\xe4: 1\r\n\r\n", "400 closed", ""},
		{"a parenthesis in a name", get + "X(: 1\r\n\r\n", "400 closed", ""},
		{"a line longer than any", get + "X: " + strings.Repeat("1", 10<<10) + "\r\n\r\n", "431 closed", ""},
		{"a target longer than any", "GET /" + strings.Repeat("1", 10<<10) + " HTTP/1.1\r\nHost: a\r\n\r\n", "414 closed", ""},
		{"too many lines", get + many + "\r\n", "431 kept", ""},
		{"a head that breaks off (hangs up)", get + "X: 1", "400 closed", ""},
		{"nothing (hangs up)", "", "closed", ""},
		{"noise", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400 closed", ""},
	})
}

func TestFramingOfRequestLines(t *testing.T) {
	line := func(l string) string { return l + "\r\nHost: a\r\n\r\n" }
	testCorpus(t, []framingCase{
		{"a method of its own", line("X-Y! / HTTP/1.1"), "200 kept", "X-Y! /"},
		{"a method in lower case", line("get / HTTP/1.1"), "200 kept", "get /"},
		{"a method that is no token", line("G(T / HTTP/1.1"), "400 closed", ""},
		{"no method", line(" / HTTP/1.1"), "400 closed", ""},
		{"no target", line("GET  HTTP/1.1"), "400 closed", ""},
		{"two spaces", line("GET  / HTTP/1.1"), "400 closed", ""},
		{"two spaces before the version", line("GET /  HTTP/1.1"), "400 closed", ""},
		{"a tab", line("GET\t/\tHTTP/1.1"), "400 closed", ""},
		{"space behind the version", line("GET / HTTP/1.1 "), "400 closed", ""},
		{"a space in the target", line("GET /a b HTTP/1.1"), "400 closed", ""},
		{"a version in a target", line("GET / HTTP/1.1 HTTP/1.1"), "400 closed", ""},
		{"a version in lower case", line("GET / http/1.1"), "400 closed", ""},
		{"no version", "GET /\r\n\r\n", "400 closed", ""},
		{"HTTP/0.9", line("GET / HTTP/0.9"), "505 closed", ""},
		{"HTTP/1.0", line("GET / HTTP/1.0"), "200 closed", "GET /"},
		{"HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n", "200 closed", "GET /"},
		{"HTTP/1.0 with a host that is none", "GET / HTTP/1.0\r\nHost: a,b\r\n\r\n", "400 closed", ""},
		{"HTTP/1.0 that is kept", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "200 kept", "GET /"},
		{"HTTP/1.2", line("GET / HTTP/1.2"), "200 kept", "GET /"},
		{"HTTP/2.0", line("GET / HTTP/2.0"), "505 closed", ""},
		{"HTTP/1.1 with a zero", line("GET / HTTP/01.1"), "400 closed", ""},
		{"HTTP/11", line("GET / HTTP/11"), "400 closed", ""},
		{"another protocol", line("GET / ICY/1.1"), "400 closed", ""},
		{"a preface behind a request", get + "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "200 400 closed", "GET /"},

		{"CONNECT", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n" + hidden, "405 closed", ""},
		{"CONNECT to a path", line("CONNECT /a HTTP/1.1"), "405 closed", ""},
		{"TRACE", line("TRACE / HTTP/1.1"), "405 kept", ""},
		{"TRACK", line("TRACK / HTTP/1.1"), "405 kept", ""},
		{"OPTIONS of the server", line("OPTIONS * HTTP/1.1"), "204 kept", ""},
		{"OPTIONS of the server, absolutely", line("OPTIONS http://a HTTP/1.1"), "204 kept", ""},
		{"OPTIONS of a path", line("OPTIONS /a HTTP/1.1"), "200 kept", "OPTIONS /a"},
		{"GET of the server", line("GET * HTTP/1.1"), "400 kept", ""},
	})
}

func TestFramingOfHosts(t *testing.T) {
	host := func(lines string) string { return "GET / HTTP/1.1\r\n" + lines + "\r\n" }
	absolute := func(target, lines string) string { return "GET " + target + " HTTP/1.1\r\n" + lines + "\r\n" }
	testCorpus(t, []framingCase{
		{"a port", host("Host: a.example:8080\r\n"), "200 kept", "GET /"},
		{"an IPv6 address", host("Host: [::1]:80\r\n"), "200 kept", "GET /"},
		{"an underscore", host("Host: a_b\r\n"), "200 kept", "GET /"},
		{"none", host(""), "400 closed", ""},
		{"an empty one", host("Host:\r\n"), "400 kept", ""},
		{"two", host("Host: a\r\nHost: b\r\n"), "400 closed", ""},
		{"the same twice", host("Host: a\r\nhost: a\r\n"), "400 closed", ""},
		{"a list", host("Host: a, b\r\n"), "400 closed", ""},
		{"a comma", host("Host: a,b\r\n"), "400 kept", ""},
		{"a path", host("Host: a/b\r\n"), "400 closed", ""},
		{"a user", host("Host: a@b\r\n"), "400 closed", ""},
		{"a space", host("Host: a b\r\n"), "400 closed", ""},
		{"a percent", host("Host: a%62\r\n"), "400 kept", ""},
		{"a port that is none", host("Host: a:b\r\n"), "400 kept", ""},
		{"a port that is too large", host("Host: a:65536\r\n"), "400 kept", ""},
		{"a port of a port", host("Host: a:1:2\r\n"), "400 kept", ""},
		{"an open bracket", host("Host: [::1\r\n"), "400 kept", ""},
		{"a zone", host("Host: [fe80::1%25lo]\r\n"), "400 kept", ""},
		{"high bytes", host("Host: \xc3\xa4\r\n"), "400 closed", ""},
		{"an absolute target", absolute("http://b/c?d", "Host: b\r\n"), "200 kept", "GET /c?d"},
		{"an absolute target for another host", absolute("http://b/c", "Host: a\r\n"), "200 kept", "GET /c"},
		{"an absolute target without a path", absolute("http://b?c", "Host: b\r\n"), "200 kept", "GET /?c"},
		{"an absolute target without a host", absolute("http:///c", "Host: a\r\n"), "400 kept", ""},
		{"an absolute target with a user", absolute("http://a@b/c", "Host: b\r\n"), "400 kept", ""},
		{"an absolute target of another scheme", absolute("ftp://b/c", "Host: b\r\n"), "400 kept", ""},
		{"an absolute target without slashes", absolute("http:b", "Host: b\r\n"), "400 kept", ""},
		{"an absolute target without a Host", absolute("http://b/c", ""), "400 closed", ""},
		{"an authority", absolute("a:80", "Host: a\r\n"), "400 kept", ""},
		{"a bare word", absolute("a", "Host: a\r\n"), "400 closed", ""},
	})
}

func TestFramingOfTargets(t *testing.T) {
	at := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n" }
	testCorpus(t, []framingCase{
		{"what is encoded", at("/%61%2e%2Fb%C3%A4%ff"), "200 kept", "GET /%61%2e%2Fb%C3%A4%ff"},
		{"what should be", at("/\xc3\xa4\xff\"<>[]^`{|}\\"), "200 kept", "GET /\xc3\xa4\xff\"<>[]^`{|}\\"},
		{"empty segments", at("//a//b//"), "200 kept", "GET //a//b//"},
		{"empty segments and what should be encoded", at("//a|"), "400 kept", ""},
		{"parameters", at("/a;b=c/d"), "200 kept", "GET /a;b=c/d"},
		{"questions", at("/a??b?#"), "400 kept", ""},
		{"an empty query", at("/a?"), "200 kept", "GET /a?"},
		{"a query with anything", at("/a?..%00%zz\\|\xff"), "200 kept", "GET /a?..%00%zz\\|\xff"},
		{"a fragment", at("/a#b"), "400 kept", ""},
		{"a step up", at("/a/../b"), "400 kept", ""},
		{"a step up, encoded", at("/a/%2e%2E/b"), "400 kept", ""},
		{"a step up, half encoded", at("/a/.%2e/b"), "400 kept", ""},
		{"a step up behind an encoded slash", at("/a%2f../b"), "400 kept", ""},
		{"a step up behind a backslash", at("/a\\..\\b"), "400 kept", ""},
		{"a step up with a parameter", at("/a/..;/b"), "400 kept", ""},
		{"a step to nowhere", at("/a/./b"), "400 kept", ""},
		{"a step up at the end", at("/a/.."), "400 kept", ""},
		{"a NUL", at("/a%00"), "400 kept", ""},
		{"a line break", at("/a%0d%0aX:1"), "400 kept", ""},
		{"a bare NUL", at("/a\x00"), "400 closed", ""},
		{"half an escape", at("/a%2"), "400 closed", ""},
		{"no escape", at("/a%zz"), "400 closed", ""},
	})
}

func TestFramingOfConnections(t *testing.T) {
	testCorpus(t, []framingCase{
		{"several at once", get + "\r\n" + post + "Content-Length: 2\r\n\r\nab" + "GET /c HTTP/1.1\r\nHost: a\r\n\r\n", "200 200 200 kept", "GET /\nPOST / [2] ab\nGET /c"},
		{"one that closes", get + "Connection: close\r\n\r\n" + hidden, "200 closed", "GET /"},
		{"one that closes in another case", get + "connection: x, CLOSE\r\n\r\n" + hidden, "200 closed", "GET /"},
		{"a bad one behind a good one", get + "\r\n" + post + "Transfer-Encoding: x\r\n\r\n", "200 400 closed", "GET /"},
		{"an unclear one behind a good one", get + "\r\n" + post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n1", "200 400 closed", "GET /"},
		{"a length that Connection names", post + "Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"a host that Connection names", get + "Connection: Host\r\n\r\n", "200 kept", "GET /"},
		{"a coding that Connection names", post + "Connection: Transfer-Encoding, TE\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200 kept", "POST / [chunked] "},

		{"an expectation", post + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "100 200 kept", "POST / [5] hello"},
		{"an expectation in another case", post + "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\nhello", "100 200 kept", "POST / [5] hello"},
		{"an expectation without a body", get + "Expect: 100-continue\r\n\r\n", "200 kept", "GET /"},
		{"an expectation in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "200 closed", "POST / [5] hello"},
		{"another expectation", post + "Expect: a-pony\r\nContent-Length: 5\r\n\r\nhello", "417 closed", ""},
		{"one expectation and another", post + "Expect: 100-continue, a-pony\r\nContent-Length: 5\r\n\r\nhello", "417 closed", ""},

		{"an upgrade that is declined", get + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "200 kept", "GET /"},
		{"an upgrade to HTTP/2", get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", "200 kept", "GET /"},
		{"an upgrade to HTTP/2 with a body", post + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"an upgrade with a body", post + "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello", "200 kept", "POST / [5] hello"},
		{"an upgrade in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "200 closed", "GET /"},
	})
}
