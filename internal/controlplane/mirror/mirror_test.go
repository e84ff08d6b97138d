package mirror

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

var (
	web     = Name("shop", "web")
	grant   = entity.Ref{Kind: entity.KindTrafficTarget, Name: Name("shop", "grant")}
	account = entity.Ref{Kind: entity.KindServiceAccount, Name: web}
)

// TestReadersLearnOfChanges reads the mesh for an object, changes what it read and something else, and forgets the object.
func TestReadersLearnOfChanges(t *testing.T) {
	m := New()
	var notified []entity.Name
	m.Watch(grant.Kind, func(_ context.Context, name entity.Name) { notified = append(notified, name) })
	exists := false
	read := func() { m.Read(grant, func(v *catalog.View) { exists = v.Exists(account) }) }
	read()
	for _, step := range []struct {
		name     string
		change   catalog.Change
		notified bool
		exists   bool
	}{
		{"what was read", catalog.Set(&catalog.ServiceAccount{Name: web, UID: "1"}), true, true},
		{"something else", catalog.Set(&catalog.ServiceAccount{Name: Name("shop", "other"), UID: "1"}), false, true},
		{"the same again", catalog.Set(&catalog.ServiceAccount{Name: web, UID: "1"}), false, true},
		{"nothing of it can be used", catalog.Change{Ref: account, Exists: true, Problem: "It is malformed."}, true, true},
		{"it is deleted", catalog.Change{Ref: account}, true, false},
	} {
		notified = nil
		m.Apply([]catalog.Change{step.change})
		m.Update(t.Context())
		if read(); slices.Contains(notified, grant.Name) != step.notified || exists != step.exists {
			t.Errorf("%s: notified %v, want %v; exists %v, want %v", step.name, notified, step.notified, exists, step.exists)
		}
	}
	m.Forget(grant)
	notified = nil
	m.Apply([]catalog.Change{catalog.Set(&catalog.ServiceAccount{Name: web, UID: "2"})})
	if m.Update(t.Context()); len(notified) > 0 || len(m.readers.Dependents) > 0 {
		t.Errorf("after it was forgotten: %v, and the readers %v", notified, m.readers.Dependencies)
	}
}

// TestPoliciesAreReadBeforeTheyAreStored reads a mesh in which a policy has another version, or exists.
func TestPoliciesAreReadBeforeTheyAreStored(t *testing.T) {
	m := New()
	stored := &catalog.TrafficTarget{Name: grant.Name, Destination: SA("shop", "web"), Sources: []identity.ServiceAccount{SA("shop", "a")}}
	m.Apply([]catalog.Change{catalog.Set(stored)})
	m.Update(t.Context())
	edited := &catalog.TrafficTarget{Name: grant.Name, Destination: SA("shop", "api"), Sources: []identity.ServiceAccount{SA("shop", "a")}}
	m.ReadWith(edited, func(v *catalog.View) {
		if to := v.TargetsTo(SA("shop", "web")); len(to) > 0 {
			t.Errorf("the stored version is read too: %v", to)
		}
		if to := v.TargetsTo(SA("shop", "api")); !slices.Equal(to, []*catalog.TrafficTarget{edited}) {
			t.Errorf("the new version is not read: %v", to)
		}
	})
	m.Read(grant, func(v *catalog.View) {
		if to := v.TargetsTo(SA("shop", "web")); !slices.Equal(to, []*catalog.TrafficTarget{stored}) {
			t.Errorf("afterwards: %v", to)
		}
	})
}

// TestChangesDoNotWaitForReaders queues a change while somebody reads, and while an update waits for that reader.
func TestChangesDoNotWaitForReaders(t *testing.T) {
	m, inside, proceed := New(), make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		m.Read(grant, func(*catalog.View) {
			close(inside)
			<-proceed
		})
	})
	<-inside
	m.Apply([]catalog.Change{catalog.Set(&catalog.ServiceAccount{Name: web, UID: "1"})})
	running.Go(func() { m.Update(t.Context()) })
	m.Apply([]catalog.Change{catalog.Set(&catalog.ServiceAccount{Name: web, UID: "2"})})
	close(proceed)
	running.Wait()
	m.Update(t.Context())
	m.Read(grant, func(v *catalog.View) {
		if uid := v.ServiceAccountUID(SA("shop", "web")); uid != "2" {
			t.Errorf("the account has the UID %q, want that of the last change", uid)
		}
	})
}

// TestIsIdle queues a change, and asks before, during and after the update.
func TestIsIdle(t *testing.T) {
	m, during := New(), true
	m.Watch(grant.Kind, func(context.Context, entity.Name) { during = m.IsIdle() })
	m.Read(grant, func(v *catalog.View) { v.Exists(account) })
	if !m.IsIdle() {
		t.Error("an empty mirror is busy")
	}
	m.Apply([]catalog.Change{catalog.Set(&catalog.ServiceAccount{Name: web, UID: "1"})})
	if m.IsIdle() || during != true {
		t.Error("idle with a queued change")
	}
	m.Update(t.Context())
	if during || !m.IsIdle() {
		t.Errorf("idle during the update: %t, and afterwards: %t", during, m.IsIdle())
	}
}

// TestRunAppliesChanges changes something that was read while the mirror runs.
func TestRunAppliesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, notified := New(), 0
		m.Watch(grant.Kind, func(context.Context, entity.Name) { notified++ })
		m.Read(grant, func(v *catalog.View) { v.Exists(account) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.Run(ctx) }()
		m.Apply([]catalog.Change{catalog.Set(&catalog.ServiceAccount{Name: web, UID: "1"})})
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil || notified != 1 {
			t.Errorf("notified %d times, want once; error %v", notified, err)
		}
	})
}
