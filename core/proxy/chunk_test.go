package proxy

import "testing"

func TestExtensionsOfChunks(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, ";a": true, ";a=b": true, ";a;b=c;d": true, " ;a": true, "; a": true, ";a \t= b": true, `;a="b"`: true,
		`;a="b;c" ;d`: true, `;a="\"\\"`: true, `;a=""`: true, ";a=\"\xff\t\"": true,
		" ": false, "\t": false, ";": false, ";a;": false, ";;a": false, ";a ": false, ";a=": false, ";=b": false, "a": false, ";a b": false,
		";a=b=c": false, ";a\x00": false, ";a=\"\x00\"": false, ";a=\"\\\x00\"": false, ";a=\"\r\"": false, ";a\r": false, ";\ra": false, ";[": false, ";\xff": false,
		`;a="b`: false, `;a="`: false, `;a="b\`: false, `;a="b\"`: false, `;a="b"c`: false, ";a='b c'": false, ";a=\"\x7f\"": false,
	} {
		if got := extensions([]byte(text)); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
