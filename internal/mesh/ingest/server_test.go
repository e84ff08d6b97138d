package ingest

import "testing"

// TestIsHostName checks that names whose last part is a number are none: old resolvers read them as addresses, among them that of the pod itself.
func TestIsHostName(t *testing.T) {
	for text, want := range map[string]bool{
		"api.example.com": true, "db": true, "1.example": true, "4u": true, "a.0xg": true, "a.xn--p1ai": true,
		"127.1": false, "127.0": false, "2130706433": false, "0x7f000001": false, "0177.0.0.1": false, "127.0.0.08": false, "0x7f.0x1": false,
		"99999999999999999999": false, "": false, "a..b": false, "A.example": false, "-a.example": false,
	} {
		if got := isHostName(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
