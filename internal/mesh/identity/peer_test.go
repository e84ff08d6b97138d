package identity

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPeerNamesAreUnambiguous checks that server names of different ports, Services, meshes and directions differ.
func TestPeerNamesAreUnambiguous(t *testing.T) {
	label := rapid.StringMatching(`[a-z]{1,3}`)
	type request struct {
		service, namespace string
		port               uint16
		servers, clients   string
	}
	draw := rapid.Custom(func(t *rapid.T) request {
		return request{
			label.Draw(t, "service"), label.Draw(t, "namespace"), rapid.Uint16Range(1, 3).Draw(t, "port"),
			rapid.SampledFrom([]string{"a.example", "b.example", "at.from"}).Draw(t, "servers"), rapid.SampledFrom([]string{"a.example", "b.example", "from.at"}).Draw(t, "clients"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "one"), draw.Draw(t, "other")
		first, _ := PeerServerName(a.service, a.namespace, a.port, a.servers, a.clients)
		second, _ := PeerServerName(b.service, b.namespace, b.port, b.servers, b.clients)
		if (first == second) != (a == b) {
			t.Fatalf("%+v is requested as %s, and %+v as %s", a, first, b, second)
		}
		if !strings.HasSuffix(first, PeerServerSuffix(a.servers, a.clients)) {
			t.Fatalf("%s does not end with the suffix of its meshes", first)
		}
	})
}

func TestPeerServerNameIsBounded(t *testing.T) {
	if name, ok := PeerServerName(strings.Repeat("s", 63), strings.Repeat("n", 63), 65535, strings.Repeat("a", 60), strings.Repeat("b", 60)); ok {
		t.Errorf("%s has %d bytes", name, len(name))
	}
	if name, ok := PeerServerName("cart", "shop", 80, "b.example", "a.example"); !ok || name != "p80.cart.shop.svc.at.b.example.from.a.example" {
		t.Errorf("the name is %s, %t", name, ok)
	}
}

func TestSplitPeerName(t *testing.T) {
	for name, want := range map[string][2]string{
		"east/client": {"east", "client"}, "east/a.b": {"east", "a.b"}, "client": {}, "": {}, "/client": {}, "east/": {}, "east/a/b": {},
	} {
		peer, account, ok := SplitPeerName(name)
		if ok != (want[0] != "") || ok && (peer != want[0] || account != want[1]) {
			t.Errorf("%q is split into %q and %q, %t", name, peer, account, ok)
		}
	}
}

func TestSharesNames(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"a.example", "a.example", true},
		{"a.example", "b.a.example", true},
		{"b.a.example", "a.example", true},
		{"a.example", "b.example", false},
		{"aa.example", "a.example", false},
	} {
		if got := SharesNames(test.a, test.b); got != test.want {
			t.Errorf("%s and %s share names: %t", test.a, test.b, got)
		}
	}
}
