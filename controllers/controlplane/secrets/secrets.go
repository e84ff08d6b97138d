package secrets

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Entries are the catalog entries of Secrets. The zero value has none.
type Entries struct {
	known map[catalog.Name]catalog.Change
}

// Update reads the entries of all names. It returns their changes, and those that remove entries that no name has any more. A Secret that
// cannot be read now keeps its last entry.
func (e *Entries) Update(all []catalog.Name, read func(catalog.Name) (catalog.Entry, error)) (current, removed []catalog.Change, failed error) {
	next := map[catalog.Name]catalog.Change{}
	for _, name := range all {
		if _, done := next[name]; done {
			continue
		}
		entry, err := read(name)
		change, known := e.known[name]
		if err != nil {
			failed = err
		} else {
			change, known = catalog.Set(entry), true
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

// Read returns the content of a Secret, or why there is none as a sentence. An error means that the answer is not known. The namespace is that
// of the control plane.
func Read(ctx context.Context, reader client.Reader, name catalog.Name, namespace string) (data map[string][]byte, problem string, err error) {
	secret := &corev1.Secret{}
	err = reader.Get(ctx, client.ObjectKey(name), secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Sprintf("The Secret %s does not exist.", name), nil
	case apierrors.IsForbidden(err):
		return nil, fmt.Sprintf("The control plane may not get Secrets of the namespace %s: run kubectl create rolebinding %s -n %s --clusterrole %s --serviceaccount %s:%s.",
			name.Namespace, names.GatewayCertificateReader, name.Namespace, names.GatewayCertificateReader, namespace, names.Controller), nil
	case err != nil:
		return nil, "", fmt.Errorf("the Secret %s cannot be read: %w", name, err)
	}
	return secret.Data, "", nil
}
