package resource

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// maxVersionLength is the limit of a version in a request; see package delta.
const maxVersionLength = 768

func someMarks(n int) DrainMarks {
	var marks DrainMarks
	for i := range n {
		marks = marks.WithChain(fmt.Sprint("chain ", i), NextMark("", fmt.Sprint(i)))
	}
	return marks
}

func TestListenerVersion_RoundTrip(t *testing.T) {
	for _, n := range []int{1, 2, 40} {
		want := ListenerVersion{Hash: hash([]byte("a")).String(), Marks: someMarks(n), Unmarked: hash([]byte("b")).String()}
		got, ok := ParseListenerVersion(want.String())
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%d marks (-want +got):\n%s", n, diff)
		}
	}
}

// Marks without end would make versions that the control plane rejects when they are reported.
func TestListenerVersion_LimitsMarks(t *testing.T) {
	text := ListenerVersion{Hash: hash([]byte("a")).String(), Marks: someMarks(1000), Unmarked: hash([]byte("b")).String()}.String()
	if len(text) > maxVersionLength {
		t.Errorf("the version has %d bytes, the limit is %d", len(text), maxVersionLength)
	}
	if got, _ := ParseListenerVersion(text); len(got.Marks) != 40 {
		t.Errorf("the version has %d marks, want 40", len(got.Marks))
	}
}

// Control planes before v0.4 split the version at the first hyphen, and compare what follows it with a hash.
func TestListenerVersion_IsReadByEarlierControlPlanes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unmarked := hash([]byte("b")).String()
		text := ListenerVersion{Hash: hash([]byte("a")).String(), Marks: someMarks(rapid.IntRange(0, 50).Draw(t, "marks")), Unmarked: unmarked}.String()
		if _, got, _ := strings.Cut(text, "-"); got != unmarked {
			t.Fatalf("an earlier control plane reads %q, want %q", got, unmarked)
		}
	})
}

// This control plane reads the versions of earlier ones.
func TestParseListenerVersion_OfEarlierControlPlanes(t *testing.T) {
	got, ok := ParseListenerVersion("aa-bb")
	if diff := cmp.Diff(ListenerVersion{Hash: "aa", Unmarked: "bb", Marks: DrainMarks{}}, got); !ok || diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, text := range []string{"aa", "", hash(nil).String()} {
		if got, ok := ParseListenerVersion(text); ok {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
	if got, _ := ParseListenerVersion("aa:not base64-bb"); len(got.Marks) != 0 {
		t.Errorf("marks that are not encoded are read as %v", got.Marks)
	}
}

func TestPermissionsVersion_LimitsPrincipals(t *testing.T) {
	var names []string
	for i := range 80 {
		names = append(names, fmt.Sprint("name ", i))
	}
	longest := permissionsVersion(hash(nil), names)
	if _, known := parsePrincipals(longest); !known || len(longest) > maxVersionLength {
		t.Errorf("80 principals are in a version of %d bytes, known %v", len(longest), known)
	}
	tooMany := permissionsVersion(hash(nil), append(names, "another"))
	if _, known := parsePrincipals(tooMany); known || tooMany != hash(nil).String() {
		t.Errorf("81 principals have version %q, want the hash alone", tooMany)
	}
}

// TestLosesPrincipal_Sets compares the lists in versions with sets of names.
func TestLosesPrincipal_Sets(t *testing.T) {
	names := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		before, after := names.Draw(t, "before"), names.Draw(t, "after")
		lost := false
		for _, name := range before {
			lost = lost || !strings.Contains(strings.Join(after, ""), name)
		}
		version := func(list []string) string { return permissionsVersion(hash([]byte(fmt.Sprint(list))), list) }
		if got := LosesPrincipal(version(before), version(after)); got != lost {
			t.Fatalf("from %v to %v: %v, want %v", before, after, got, lost)
		}
	})
}
