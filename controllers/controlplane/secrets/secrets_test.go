package secrets

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

func named(namespace string, i int) entity.Name {
	return entity.Name{Namespace: namespace, Name: fmt.Sprint("s", i)}
}

// TestOneNamespaceDelaysNoOther checks that the first Secret of each namespace is read before the second one of any, and is in use at once.
func TestOneNamespaceDelaysNoOther(t *testing.T) {
	var names []entity.Name
	for i := range 256 {
		names = append(names, named("flood", i))
	}
	names = append(names, named("shop", 0), named("shop", 1))
	var read []entity.Name
	received := map[entity.Name]int{}
	entries := Entries{Now: time.Now, Receive: func(c []catalog.Change) { received[c[0].Ref.Name] = len(read) }}
	entries.Update(names, func(name entity.Name) (catalog.Entry, error) {
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
	now := time.Now()
	var received []catalog.Change
	entries := Entries{Now: func() time.Time { return now }, Receive: func(changes []catalog.Change) { received = changes }}
	read := func(name entity.Name) (catalog.Entry, error) { return &catalog.GatewayCertificate{Name: name}, nil }
	entries.Update([]entity.Name{named("a", 0), named("a", 1)}, read)
	now = now.Add(ReadInterval)
	broken := errors.New("the API server does not answer")
	current, err := entries.Update([]entity.Name{named("a", 0), named("b", 0)}, func(entity.Name) (catalog.Entry, error) { return nil, broken })
	if !errors.Is(err, broken) || len(current) != 1 || current[0].Ref.Name != named("a", 0) || len(received) != 1 || received[0].Entry != nil || received[0].Ref.Name != named("a", 1) {
		t.Errorf("current %v, received %v, error %v", current, received, err)
	}
}

// TestEventsReadNothingTwice sends many events within a second: each Secret is read once, and again before ReadInterval is over, whenever the last event
// was. A new name is read at once, and so is one that was removed meanwhile.
func TestEventsReadNothingTwice(t *testing.T) {
	now := time.Now()
	entries := Entries{Now: func() time.Time { return now }, Receive: func([]catalog.Change) {}}
	reads := map[entity.Name]int{}
	content := "first"
	update := func(names ...entity.Name) []catalog.Change {
		current, _ := entries.Update(names, func(name entity.Name) (catalog.Entry, error) {
			reads[name]++
			return &catalog.GatewayCertificate{Name: name, Problem: content}, nil
		})
		return current
	}
	a, b := named("shop", 0), named("shop", 1)
	for range 50 {
		if current := update(a); len(current) != 1 {
			t.Fatalf("the entries are %v between two reads, want the last one", current)
		}
		now = now.Add(20 * time.Millisecond)
	}
	update(a, b)
	if reads[a] != 1 || reads[b] != 1 {
		t.Errorf("50 events in a second read %v, want each Secret once", reads)
	}
	if due := entries.Due(); due != ReadInterval-time.Second {
		t.Errorf("the next reading is due in %s, want that of the oldest one", due)
	}
	content = "second"
	now = now.Add(entries.Due())
	for _, change := range update(a, b) {
		if entry, ok := change.Entry.(*catalog.GatewayCertificate); !ok || entry.Problem != content {
			t.Errorf("the entry is %+v when the first Secret is due, want the second content of both", change.Entry)
		}
	}
	update(b)
	update(a, b)
	entries.Forget(b)
	update(a, b)
	if reads[a] != 3 || reads[b] != 3 {
		t.Errorf("the reads are %v, want another one of the removed name, and of the forgotten one", reads)
	}
}

// TestDueIsBounded checks that a pass that takes longer than the interval does not begin again at once.
func TestDueIsBounded(t *testing.T) {
	now := time.Now()
	entries := Entries{Now: func() time.Time { return now }, Receive: func([]catalog.Change) {}}
	if due := entries.Due(); due != ReadInterval {
		t.Errorf("without a name, the next reading is due in %s", due)
	}
	entries.Update([]entity.Name{named("shop", 0)}, func(name entity.Name) (catalog.Entry, error) {
		now = now.Add(time.Minute)
		return &catalog.GatewayCertificate{Name: name}, nil
	})
	if due := entries.Due(); due != ReadInterval/2 {
		t.Errorf("after a pass of a minute, the next reading is due in %s", due)
	}
	entries.Interval = func(entity.Name) time.Duration { return time.Second }
	if due := entries.Due(); due != time.Second/2 {
		t.Errorf("with an interval of a second, the next reading is due in %s", due)
	}
}
