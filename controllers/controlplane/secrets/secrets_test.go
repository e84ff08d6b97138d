package secrets

import (
	"errors"
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func named(namespace string, i int) catalog.Name {
	return catalog.Name{Namespace: namespace, Name: fmt.Sprint("s", i)}
}

// TestOneNamespaceDelaysNoOther checks that the first Secret of each namespace is read before the second one of any, and is in use at once.
func TestOneNamespaceDelaysNoOther(t *testing.T) {
	var names []catalog.Name
	for i := range 256 {
		names = append(names, named("flood", i))
	}
	names = append(names, named("shop", 0), named("shop", 1))
	var read []catalog.Name
	received := map[catalog.Name]int{}
	entries := Entries{Receive: func(c catalog.Change) { received[c.Ref.Name] = len(read) }}
	entries.Update(names, func(name catalog.Name) (catalog.Entry, error) {
		read = append(read, name)
		return &catalog.GatewayCertificate{Name: name}, nil
	})
	if len(read) != len(names) {
		t.Errorf("%d Secrets are read, want %d", len(read), len(names))
	}
	for i, most := range []int{2, 4} {
		if at := received[named("shop", i)]; at == 0 || at > most {
			t.Errorf("Secret %d of the small namespace is in use after %d reads, want at most %d", i, at, most)
		}
	}
}

// TestUnreadableSecretKeepsItsContent checks that a Secret that cannot be read now stays, and one without a name is removed.
func TestUnreadableSecretKeepsItsContent(t *testing.T) {
	var entries Entries
	read := func(name catalog.Name) (catalog.Entry, error) { return &catalog.GatewayCertificate{Name: name}, nil }
	entries.Update([]catalog.Name{named("a", 0), named("a", 1)}, read)
	broken := errors.New("the API server does not answer")
	current, removed, err := entries.Update([]catalog.Name{named("a", 0), named("b", 0)}, func(catalog.Name) (catalog.Entry, error) { return nil, broken })
	if !errors.Is(err, broken) || len(current) != 1 || current[0].Ref.Name != named("a", 0) || len(removed) != 1 || removed[0].Ref.Name != named("a", 1) {
		t.Errorf("current %v, removed %v, error %v", current, removed, err)
	}
}
