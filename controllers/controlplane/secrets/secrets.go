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
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ReadInterval is how often each of them is read.
const ReadInterval = 10 * time.Second

// Entries are the catalog entries of Secrets, or of ConfigMaps. The zero value has none.
type Entries struct {
	// Receive is called for each Secret as soon as it was read; nil for no call. A pass over all Secrets can take minutes.
	Receive func(catalog.Change)

	known map[catalog.Name]catalog.Change
}

// Update reads the entries of all names. It returns their changes, and those that remove entries that no name has any more. A Secret that
// cannot be read now keeps its last entry.
func (e *Entries) Update(all []catalog.Name, read func(catalog.Name) (catalog.Entry, error)) (current, removed []catalog.Change, failed error) {
	next := map[catalog.Name]catalog.Change{}
	for _, name := range inTurns(all) {
		if _, done := next[name]; done {
			continue
		}
		entry, err := read(name)
		change, known := e.known[name]
		if err != nil {
			failed = err
		} else {
			change, known = catalog.Set(entry), true
			if e.Receive != nil {
				e.Receive(change)
			}
		}
		if known {
			next[name] = change
			current = append(current, change)
		}
	}
	for name, change := range e.known {
		if _, used := next[name]; !used {
			removed = append(removed, catalog.Change{Ref: change.Ref})
		}
	}
	e.known = next
	return current, removed, failed
}

// Last returns the entry that was last read for a name.
func (e *Entries) Last(name catalog.Name) (catalog.Entry, bool) {
	change, known := e.known[name]
	return change.Entry, known
}

// inTurns returns the first name of each namespace, then the second ones, and so on. So a namespace with many Secrets delays those of no other by
// more than its own.
func inTurns(names []catalog.Name) []catalog.Name {
	turns := map[string]int{}
	type turn struct {
		number int
		name   catalog.Name
	}
	list := make([]turn, 0, len(names))
	for _, name := range names {
		list = append(list, turn{turns[name.Namespace], name})
		turns[name.Namespace]++
	}
	slices.SortStableFunc(list, func(a, b turn) int { return cmp.Compare(a.number, b.number) })
	ordered := make([]catalog.Name, 0, len(list))
	for _, t := range list {
		ordered = append(ordered, t.name)
	}
	return ordered
}

// Read returns the content of a Secret, or why there is none as a sentence. An error means that the answer is not known. The namespace is that
// of the control plane.
func Read(ctx context.Context, reader client.Reader, name catalog.Name, namespace string) (data map[string][]byte, problem string, err error) {
	secret := &corev1.Secret{}
	problem, err = problemOf(reader.Get(ctx, client.ObjectKey(name), secret), "Secret", name, namespace)
	return secret.Data, problem, err
}

// ReadConfigMap is Read for a ConfigMap.
func ReadConfigMap(ctx context.Context, reader client.Reader, name catalog.Name, namespace string) (data map[string]string, problem string, err error) {
	configMap := &corev1.ConfigMap{}
	problem, err = problemOf(reader.Get(ctx, client.ObjectKey(name), configMap), "ConfigMap", name, namespace)
	return configMap.Data, problem, err
}

// problemOf explains why an object has no content.
func problemOf(err error, kind string, name catalog.Name, namespace string) (string, error) {
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
