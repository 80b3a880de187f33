package proxy

// extensions reports whether what stands behind the size of a chunk is extensions by the
// grammar, or nothing (RFC 9112, section 7.1.1):
//
//	*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )
//
// Nobody has a use for them, so they go no further. But servers differ in where they take
// the line to end when there is something else in it.
func extensions(b []byte) bool {
	for len(b) > 0 {
		if b = blanks(b); len(b) == 0 || b[0] != ';' {
			return false
		}
		name := blanks(b[1:])
		n := tokenLength(name)
		if n == 0 {
			return false
		}
		b = name[n:]
		value := blanks(b)
		if len(value) == 0 || value[0] != '=' {
			continue
		}
		value = blanks(value[1:])
		if n = tokenLength(value); n == 0 {
			n = quotedLength(value)
		}
		if n == 0 {
			return false
		}
		b = value[n:]
	}
	return true
}

// blanks is b without the spaces and tabs that it begins with.
func blanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// tokenLength is the length of the token that b begins with, 0 for none.
func tokenLength(b []byte) int {
	for i, c := range b {
		if !tokenByte(c) {
			return i
		}
	}
	return len(b)
}

// quotedLength is the length of the quoted string that b begins with, 0 for none (RFC 9110,
// section 5.6.4).
func quotedLength(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	escaped := false
	for i, c := range b[1:] {
		switch {
		case c < ' ' && c != '\t' || c == 0x7f:
			return 0
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return i + len(`""`)
		}
	}
	return 0
}
