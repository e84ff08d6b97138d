package identity

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTrustDomains_EncodeAndDecode(t *testing.T) {
	want := AcceptedTrustDomains("new.example", "old.example")
	text, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeTrustDomains(text)
	if err != nil || !got.Equal(want) {
		t.Errorf("%s was decoded as %+v, %v", text, got, err)
	}
	if !slices.Equal(got.Clients, []string{"new.example", "old.example"}) {
		t.Errorf("accepted from clients: %v", got.Clients)
	}
}

func TestDecodeTrustDomains_AddsTheIssuedOne(t *testing.T) {
	got, err := DecodeTrustDomains([]byte(`{"issued":"b.example","clients":["c.example","a.example"]}`))
	if want := []string{"a.example", "b.example", "c.example"}; err != nil || !slices.Equal(got.Clients, want) || !slices.Equal(got.Servers, want[1:2]) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDecodeTrustDomains_RejectsWhatIsNone(t *testing.T) {
	for _, text := range []string{"", "x", "{}", `{"issued":"A/b"}`, `{"issued":"a","clients":["b c"]}`} {
		if got, err := DecodeTrustDomains([]byte(text)); err == nil {
			t.Errorf("%q was decoded as %+v", text, got)
		}
	}
}

// Two service accounts never share a principal in trust domains that may be accepted together.
func TestPrincipalsAreUniqueInAcceptedTrustDomains(t *testing.T) {
	label := rapid.StringMatching(`[a-b]`)
	name := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(label, 1, 3).Draw(t, "labels"), ".") })
	ambiguous := 0
	rapid.Check(t, func(t *rapid.T) {
		one, other := name.Draw(t, "trust domain"), name.Draw(t, "other trust domain")
		if AmbiguousTrustDomain(one, []string{other}) != "" {
			ambiguous++
			t.Skip()
		}
		a := ServiceAccount{Namespace: label.Draw(t, "namespace"), Name: name.Draw(t, "name")}
		b := ServiceAccount{Namespace: label.Draw(t, "other namespace"), Name: name.Draw(t, "other name")}
		if a.Principal(one) == b.Principal(other) && (a != b || one != other) {
			t.Fatalf("%v in %s and %v in %s have the principal %s", a, one, b, other, a.Principal(one))
		}
	})
}
