package current

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/operators"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// definitionSuffix ends the names of the project's CustomResourceDefinitions.
const definitionSuffix = ".openservicemesh.io"

// Conflicts returns an error that names what the cluster already has and the demo did not create. An earlier demo is no conflict.
func Conflicts(ctx context.Context, c client.Client) error {
	own, err := isOwn(ctx, c, names.OperatorNamespace)
	if err != nil {
		return err
	}
	var found []error
	if !own {
		found, err = installed(ctx, c)
		if err != nil {
			return err
		}
	}
	for _, name := range Namespaces() {
		exists, err := isForeign(ctx, c, name)
		if err != nil {
			return err
		}
		if exists {
			found = append(found, fmt.Errorf("namespace %s exists, and this demo did not create it", name))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return errors.Join(append(found, errors.New("the demo does not share these: use another cluster, or remove them first"))...)
}

// installed returns what the cluster has of another installation.
func installed(ctx context.Context, c client.Client) ([]error, error) {
	var found []error
	running, err := operators.Find(ctx, c)
	if err != nil {
		return nil, err
	}
	for i := range running {
		found = append(found, fmt.Errorf("an operator of Open Service Mesh runs in namespace %s", running[i].Namespace))
	}
	definitions := &metav1.PartialObjectMetadataList{}
	definitions.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinitionList"))
	if err := c.List(ctx, definitions); err != nil {
		return nil, fmt.Errorf("list CustomResourceDefinitions: %w", err)
	}
	own := slices.DeleteFunc(definitions.Items, func(d metav1.PartialObjectMetadata) bool { return !strings.HasSuffix(d.Name, definitionSuffix) })
	if len(own) > 0 {
		found = append(found, fmt.Errorf("CustomResourceDefinitions of Open Service Mesh exist: %d, such as %s", len(own), own[0].Name))
	}
	for _, name := range []string{names.OperatorNamespace, names.DefaultNamespace} {
		exists, err := isForeign(ctx, c, name)
		if err != nil {
			return nil, err
		}
		if exists {
			found = append(found, fmt.Errorf("namespace %s exists", name))
		}
	}
	return found, nil
}

// isOwn reports whether a namespace exists and the demo created it.
func isOwn(ctx context.Context, c client.Reader, name string) (bool, error) {
	namespace, err := namespaceOf(ctx, c, name)
	return err == nil && namespace != nil && namespace.Labels[MarkLabel] == markValue, err
}

// isForeign reports whether a namespace exists and the demo did not create it.
func isForeign(ctx context.Context, c client.Reader, name string) (bool, error) {
	namespace, err := namespaceOf(ctx, c, name)
	return err == nil && namespace != nil && namespace.Labels[MarkLabel] != markValue, err
}

// namespaceOf returns a namespace, or nil if it does not exist.
func namespaceOf(ctx context.Context, c client.Reader, name string) (*corev1.Namespace, error) {
	namespace := &corev1.Namespace{}
	err := c.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read namespace %s: %w", name, err)
	}
	return namespace, nil
}

// Errors of Confirm.
var (
	ErrDeclined   = errors.New("nothing was changed")
	ErrNoTerminal = errors.New("nothing was changed: the question needs a terminal; set YES=1 to install without it")
)

// Confirm asks the user to go on. With yes it does not ask. Only the answers y and yes count as consent.
func Confirm(in io.Reader, out io.Writer, terminal, yes bool) error {
	if yes {
		return nil
	}
	if !terminal {
		return ErrNoTerminal
	}
	fmt.Fprint(out, "\nInstall it? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return ErrDeclined
}

// WithRegistry returns manifests whose images of the project are pulled from a registry with an optional path, as `osm bundle images --mirror`
// names them. An empty registry changes nothing.
func WithRegistry(manifests, registry string) string {
	if registry == "" {
		return manifests
	}
	image := regexp.MustCompile(`(?m)^(.*\b(?:image|value): )(openservicemesh/)`)
	return image.ReplaceAllString(manifests, "${1}"+strings.ReplaceAll(strings.TrimSuffix(registry, "/"), "$", "$$")+"/${2}")
}
