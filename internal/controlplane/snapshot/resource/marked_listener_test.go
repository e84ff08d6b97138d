package resource

import (
	"encoding/base64"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
)

func TestDrainMarks(t *testing.T) {
	var none DrainMarks
	if got := none.WithChain("a", ""); got != nil {
		t.Errorf("no mark makes %v", got)
	}
	one := none.WithChain("a", "1")
	two := one.WithChain("b", "2")
	if got := two.WithChain("a", ""); len(got) != 1 || got.OfChain("b") != "2" || len(two) != 2 {
		t.Errorf("without the mark of a, %v has %v", two, got)
	}
	for name, test := range map[string]struct{ marks, other, want DrainMarks }{
		"none":           {one, nil, one},
		"neither":        {nil, DrainMarks{}, nil},
		"to none":        {nil, one, one},
		"another chain":  {one, none.WithChain("b", "2"), two},
		"the same chain": {two, none.WithChain("a", "3"), two.WithChain("a", "3")},
	} {
		if diff := cmp.Diff(test.want, test.marks.With(test.other)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := none.With(DrainMarks{}); got != nil {
		t.Errorf("no marks need memory: %#v", got)
	}
	if len(one) != 1 || two.OfChain("a") != "1" {
		t.Errorf("the given marks became %v and %v", one, two)
	}
}

// TestDamagedMarks checks that marks which are none are left out of a version, and that a damaged list is no list.
func TestDamagedMarks(t *testing.T) {
	good := NextMark("", "x")
	for _, bad := range []string{"no digits", good[2:], good + "0"} {
		for damaged := range 3 {
			marks, want := DrainMarks{}, DrainMarks{}
			for i, chain := range []string{"a", "b", "c"} {
				mark := good
				if i == damaged {
					mark = bad
				} else {
					want = want.WithChain(chain, good)
				}
				marks = marks.WithChain(chain, mark)
			}
			if diff := cmp.Diff(want, parseDrainMarks(marks.encode())); diff != "" {
				t.Errorf("with the mark %q (-want +got):\n%s", bad, diff)
			}
		}
	}
	whole := DrainMarks{}.WithChain("a", good).encode()
	for _, text := range []string{whole + "!", base64.RawStdEncoding.EncodeToString(make([]byte, 13))} {
		if got := parseDrainMarks(text); got != nil {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}

// TestWithDrainMarks checks the listener of one client, and that clients with the same marks share it.
func TestWithDrainMarks(t *testing.T) {
	c := listenerOf(t, "a", "b")
	mark := NextMark("", "x")
	marks := DrainMarks{}.WithChain("a", mark).WithChain("gone", mark)
	marked, err := c.WithDrainMarks(marks)
	if err != nil {
		t.Fatal(err)
	}
	l := &listenerv3.Listener{}
	if err := marked.decode(l); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": mark}, envoy.DrainMarks(l)); diff != "" {
		t.Errorf("marks of the listener (-want +got):\n%s", diff)
	}
	version, ok := ParseListenerVersion(marked.WireVersion())
	if want := (ListenerVersion{Hash: hash(marked.Encoded()).String(), Unmarked: c.Hash().String(), Marks: DrainMarks{}.WithChain("a", mark)}); !ok || !cmp.Equal(want, version) {
		t.Errorf("the version is %+v, want %+v", version, want)
	}
	if marked.Hash() != c.Hash() || !marked.DrainMarks().Equal(version.Marks) || len(c.DrainMarks()) > 0 {
		t.Errorf("the hash is %s, and the marks are %v", marked.Hash(), marked.DrainMarks())
	}
	if again, err := c.WithDrainMarks(marked.DrainMarks()); again != marked || err != nil {
		t.Errorf("a client with the same marks has another listener: %v", err)
	}
	if other, err := c.WithDrainMarks(DrainMarks{}.WithChain("b", mark)); other == marked || err != nil || other.DrainMarks().OfChain("b") != mark {
		t.Errorf("a client with other marks has the same listener: %v", err)
	}
	for name, marks := range map[string]DrainMarks{"no marks": nil, "marks of other chains": DrainMarks{}.WithChain("gone", mark)} {
		if same, err := c.WithDrainMarks(marks); same != c || err != nil {
			t.Errorf("%s: another listener, %v", name, err)
		}
	}
	if c := damaged(); !isSame(c, nil) {
		t.Error("a listener without marks is read")
	}
	if _, err := damaged().WithDrainMarks(marks); err == nil {
		t.Error("a damaged message has marks")
	}
}

// isSame reports whether the listener is the same with marks.
func isSame(c *Content, marks DrainMarks) bool {
	same, err := c.WithDrainMarks(marks)
	return same == c && err == nil
}

// TestLosesGrant checks that what is not a listener loses everything.
func TestLosesGrant(t *testing.T) {
	one := made(t, envoy.ListenerType, &listenerv3.Listener{Name: "name"})
	both := made(t, envoy.ListenerType, &listenerv3.Listener{Name: "name", AdditionalAddresses: []*listenerv3.AdditionalAddress{{Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "x"}}}}}})
	none := damaged()
	for name, test := range map[string]struct {
		before, after *Content
		want          bool
	}{
		"the same": {both, both, false}, "an address more": {one, both, false}, "an address less": {both, one, true}, "it was none": {none, one, true}, "it is none": {one, none, true}, "it was none, and has nothing": {none, made(t, envoy.ListenerType, &listenerv3.Listener{}), true},
	} {
		if got := LosesGrant(test.before, test.after); got != test.want {
			t.Errorf("%s: a grant is lost is %t", name, got)
		}
	}
	sent := both.WithUnsureMark()
	if version, unsure := CutUnsureMark(sent.WireVersion()); version != both.Hash().String() || !unsure || sent.Hash() != both.Hash() || !sent.BindsPort() {
		t.Errorf("the version is %q", sent.WireVersion())
	}
	if _, unsure := CutUnsureMark(both.Hash().String()); unsure {
		t.Error("a version without the mark has it")
	}
}
