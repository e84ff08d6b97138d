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
