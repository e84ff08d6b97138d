package snapshot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// groupChange returns a change of a group with a path.
func groupChange(name, path string) catalog.Change {
	return catalog.Set(meshtest.Group("a", name, path))
}

// describeChanges returns the name and the path of each group.
func describeChanges(changes []catalog.Change) string {
	var list []string
	for _, c := range changes {
		list = append(list, c.Ref.Name.Name+c.Entry.(*catalog.HTTPRouteGroup).Matches[0].PathRegex)
	}
	return fmt.Sprint(list)
}

func (q *queue) expectWoken(t *testing.T, when string) {
	t.Helper()
	select {
	case <-q.wake:
	default:
		t.Errorf("%s, the queue does not wake the Store", when)
	}
}

// TestQueueKeepsTheNewestChange queues several changes of each object.
func TestQueueKeepsTheNewestChange(t *testing.T) {
	q, now := newQueue(), time.Unix(1_800_000_000, 0)
	q.addChanges([]catalog.Change{groupChange("one", "/1"), groupChange("two", "/1")}, now)
	q.expectWoken(t, "after changes")
	received := groupChange("two", "/2")
	received.Received = now
	q.addChanges([]catalog.Change{groupChange("one", "/2"), groupChange("three", "/2"), received}, now.Add(3*time.Second))
	late := groupChange("three", "/3")
	late.Received = now.Add(4 * time.Second)
	q.addChanges([]catalog.Change{late}, now.Add(5*time.Second))
	if got := q.changeCount(); got != 3 {
		t.Errorf("%d changes are queued, want 3", got)
	}
	w := q.take()
	if got, want := describeChanges(w.batch.Changes), "[one/2 two/2 three/3]"; got != want {
		t.Errorf("the changes are %s, want %s", got, want)
	}
	if !w.batch.QueuedAt.Equal(now) || w.batch.Ingest != 3*time.Second {
		t.Errorf("the batch was queued at %v, and its conversion took %v; want %v and the longest time, 3s", w.batch.QueuedAt, w.batch.Ingest, now)
	}
	q.addChanges([]catalog.Change{groupChange("two", "/4")}, now.Add(time.Minute))
	w = q.take()
	if got := describeChanges(w.batch.Changes); got != "[two/4]" || w.batch.Ingest != 0 || !w.batch.QueuedAt.Equal(now.Add(time.Minute)) {
		t.Errorf("the next batch has the changes %s, queued at %v, and took %v; want one that took no time", got, w.batch.QueuedAt, w.batch.Ingest)
	}
}

// TestQueueTakesChangesBeforeCommands takes the changes, and leaves the commands until both are taken.
func TestQueueTakesChangesBeforeCommands(t *testing.T) {
	q, now := newQueue(), time.Unix(1_800_000_000, 0)
	q.addChanges([]catalog.Change{groupChange("one", "/1")}, now)
	<-q.wake
	if !q.addCommand(func() {}) {
		t.Error("an open queue rejects a command")
	}
	q.expectWoken(t, "after a command")
	if got := describeChanges(q.takeChanges().Changes); got != "[one/1]" {
		t.Errorf("the changes are %s, want that of the group one", got)
	}
	q.addChanges([]catalog.Change{groupChange("one", "/2"), groupChange("two", "/2")}, now)
	w := q.take()
	if got := describeChanges(w.batch.Changes); got != "[one/2 two/2]" || len(w.commands) != 1 {
		t.Errorf("afterwards, the changes are %s, with %d commands; want those of two groups, and one command", got, len(w.commands))
	}
	if w = q.take(); len(w.batch.Changes)+len(w.commands) > 0 {
		t.Errorf("%d changes and %d commands are left", len(w.batch.Changes), len(w.commands))
	}
}

// TestQueueTakesSomeChanges selects changes among those that were not seen before.
func TestQueueTakesSomeChanges(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, test := range []struct {
		name         string
		first        int
		selected     string
		taken, queue string
	}{
		{"all", 0, "one two three four", "[one/1 two/1 three/1 four/1]", "[]"},
		{"none", 0, "", "[]", "[one/1 two/1 three/1 four/1]"},
		{"some", 0, "one three", "[one/1 three/1]", "[two/1 four/1]"},
		{"some that are new", 2, "one three", "[three/1]", "[one/1 two/1 four/1]"},
		{"the last one", 3, "one four", "[four/1]", "[one/1 two/1 three/1]"},
		{"none that is new", 3, "one three", "[]", "[one/1 two/1 three/1 four/1]"},
		{"more seen than queued", 9, "one", "[]", "[one/1 two/1 three/1 four/1]"},
	} {
		q := newQueue()
		c := groupChange("one", "/1")
		c.Received = now.Add(-time.Second)
		q.addChanges([]catalog.Change{c, groupChange("two", "/1"), groupChange("three", "/1"), groupChange("four", "/1")}, now)
		selected := map[string]bool{}
		for _, name := range strings.Fields(test.selected) {
			selected[name] = true
		}
		taken, left := q.takeSome(test.first, func(c catalog.Change) bool { return selected[c.Ref.Name.Name] })
		if got := describeChanges(taken.Changes); got != test.taken || !taken.QueuedAt.Equal(now) || taken.Ingest != time.Second {
			t.Errorf("%s: taken are %s, queued at %v, ingested in %v; want %s with the times of the batch", test.name, got, taken.QueuedAt, taken.Ingest, test.taken)
		}
		if left != q.changeCount() {
			t.Errorf("%s: %d changes are reported as left, want %d", test.name, left, q.changeCount())
		}
		rest := q.take()
		if got := describeChanges(rest.batch.Changes); got != test.queue {
			t.Errorf("%s: left are %s, want %s", test.name, got, test.queue)
		}
	}
}

// TestQueueReplacesWhatIsLeft queues changes again after some were taken.
func TestQueueReplacesWhatIsLeft(t *testing.T) {
	q, now := newQueue(), time.Unix(1_800_000_000, 0)
	q.addChanges([]catalog.Change{groupChange("one", "/1"), groupChange("two", "/1"), groupChange("three", "/1")}, now)
	q.takeSome(0, func(c catalog.Change) bool { return c.Ref.Name.Name == "one" })
	q.addChanges([]catalog.Change{groupChange("one", "/2"), groupChange("three", "/2"), groupChange("two", "/2")}, now)
	if got, want := describeChanges(q.take().batch.Changes), "[two/2 three/2 one/2]"; got != want {
		t.Errorf("the changes are %s, want %s", got, want)
	}
}

// TestClosedQueueRejectsCommands closes a queue with changes and a command.
func TestClosedQueueRejectsCommands(t *testing.T) {
	q := newQueue()
	q.addCommand(func() {})
	if got := len(q.close().commands); got != 1 {
		t.Errorf("closing returns %d commands, want 1", got)
	}
	if q.addCommand(func() {}) || len(q.take().commands) > 0 {
		t.Error("a closed queue accepts a command")
	}
}
