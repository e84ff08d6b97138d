package secrets

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ReadInterval is how often each of them is read, if its reader has no other interval for it.
const ReadInterval = 10 * time.Second

// Entries are the catalog entries of Secrets, or of ConfigMaps. Only Interval is optional.
type Entries struct {
	Now func() time.Time
	// Receive is called for each Secret as soon as it was read, because a pass over all Secrets can take minutes, and then for those that no name has any more.
	Receive func([]catalog.Change)
	// Interval returns how often a Secret is read; nil for ReadInterval.
	Interval func(entity.Name) time.Duration

	known map[entity.Name]known
}

// known is an entry, and when the reading of it began.
type known struct {
	change catalog.Change
	read   time.Time
}

// Update reads the entries of all names, returns their changes, and removes entries that no name has any more. A Secret that
// cannot be read now keeps its last entry. One that was read less than half of its interval ago is not read, however many events there are; those of
// more than half are, so that all of them become due together.
func (e *Entries) Update(all []entity.Name, read func(entity.Name) (catalog.Entry, error)) (current []catalog.Change, failed error) {
	next := map[entity.Name]known{}
	for _, name := range inTurns(all) {
		if _, done := next[name]; done {
			continue
		}
		last, exists := e.known[name]
		if now := e.Now(); !exists || now.Sub(last.read) >= e.interval(name)/2 {
			if entry, err := read(name); err != nil {
				failed = err
			} else {
				last, exists = known{catalog.Set(entry), now}, true
				e.Receive([]catalog.Change{last.change})
			}
		}
		if exists {
			next[name] = last
			current = append(current, last.change)
		}
	}
	var removed []catalog.Change
	for name, last := range e.known {
		if _, used := next[name]; !used {
			removed = append(removed, catalog.Change{Ref: last.change.Ref})
		}
	}
	if len(removed) > 0 {
		e.Receive(removed)
	}
	e.known = next
	return current, failed
}

// Forget lets the next Update read a name, however short the time is since the last reading.
func (e *Entries) Forget(name entity.Name) {
	if last, exists := e.known[name]; exists {
		e.known[name] = known{change: last.change}
	}
}

// Due returns in what time the first of the names is to be read, at most ReadInterval. After an Update, this is at least half of the interval of a name.
func (e *Entries) Due() time.Duration {
	due, now := ReadInterval, e.Now()
	for name, last := range e.known {
		interval := e.interval(name)
		due = min(due, max(interval-now.Sub(last.read), interval/2))
	}
	return due
}

func (e *Entries) interval(name entity.Name) time.Duration {
	if e.Interval == nil {
		return ReadInterval
	}
	return e.Interval(name)
}

// inTurns returns the first name of each namespace, then the second ones, and so on. So a namespace with many Secrets delays those of no other by
// more than its own.
func inTurns(names []entity.Name) []entity.Name {
	turns := map[string]int{}
	type turn struct {
		number int
		name   entity.Name
	}
	list := make([]turn, 0, len(names))
	for _, name := range names {
		list = append(list, turn{turns[name.Namespace], name})
		turns[name.Namespace]++
	}
	slices.SortStableFunc(list, func(a, b turn) int { return cmp.Compare(a.number, b.number) })
	return lists.Map(list, func(t turn) entity.Name { return t.name })
}

// Read returns the content of a Secret, or why there is none as a sentence. An error means that the answer is not known. The namespace is that
// of the control plane.
func Read(ctx context.Context, reader client.Reader, name entity.Name, namespace string) (data map[string][]byte, problem string, err error) {
	secret := &corev1.Secret{}
	problem, err = problemOf(reader.Get(ctx, client.ObjectKey(name), secret), "Secret", name, namespace)
	return secret.Data, problem, err
}

// ReadConfigMap is Read for a ConfigMap.
func ReadConfigMap(ctx context.Context, reader client.Reader, name entity.Name, namespace string) (data map[string]string, problem string, err error) {
	configMap := &corev1.ConfigMap{}
	problem, err = problemOf(reader.Get(ctx, client.ObjectKey(name), configMap), "ConfigMap", name, namespace)
	return configMap.Data, problem, err
}

// problemOf explains why an object has no content.
func problemOf(err error, kind string, name entity.Name, namespace string) (string, error) {
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("The %s %s does not exist.", kind, name), nil
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("The control plane may not get %ss of the namespace %s: run kubectl create rolebinding %s -n %s --clusterrole %s --serviceaccount %s:%s.",
			kind, name.Namespace, names.GatewayCertificateReader, name.Namespace, names.GatewayCertificateReader, namespace, names.Controller), nil
	case err != nil:
		return "", fmt.Errorf("the %s %s cannot be read: %w", kind, name, err)
	}
	return "", nil
}
