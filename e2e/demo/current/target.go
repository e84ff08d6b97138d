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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/operators"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Target is the cluster that the demo would be installed in.
type Target struct {
	// Context is the name of the context, Server the address of the API server.
	Context, Server string
}

// ReadTarget reads the current context of a kubeconfig.
func ReadTarget(kubeconfig string) (Target, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return Target{}, fmt.Errorf("read the kubeconfig: %w", err)
	}
	context, found := config.Contexts[config.CurrentContext]
	if !found {
		return Target{}, fmt.Errorf("the kubeconfig %s has no current context: choose one with `kubectl config use-context NAME`", kubeconfig)
	}
	cluster, found := config.Clusters[context.Cluster]
	if !found {
		return Target{}, fmt.Errorf("the kubeconfig %s has no cluster %q, which the context %s names", kubeconfig, context.Cluster, config.CurrentContext)
	}
	return Target{Context: config.CurrentContext, Server: cluster.Server}, nil
}

// Describe prints the target and what the demo creates in it. registry is where its images are pulled from; empty is the default registry.
func (t Target) Describe(out io.Writer, registry string) {
	if registry == "" {
		registry = "docker.io"
	}
	fmt.Fprintf(out, `
The demo will be installed in this cluster:

  context    %s
  server     %s
  namespaces %s
  for all    CustomResourceDefinitions, ClusterRoles, webhooks and admission policies of Open Service Mesh; the Mesh %s
  images     %s/openservicemesh/...

make demo-down CLUSTER=current removes it.
`, t.Context, t.Server, strings.Join(allNamespaces(), ", "), meshName, registry)
}

const (
	// MarkLabel is the label of the namespaces and the Mesh that the demo has created.
	MarkLabel = "demo.openservicemesh.io/created-by"
	markValue = "make-demo"

	meshName = names.DefaultMesh
)

// Namespaces returns the namespaces of the bookstore.
func Namespaces() []string { return []string{"bookwarehouse", "bookstore", "bookbuyer", "bookthief"} }

func allNamespaces() []string {
	return slices.Concat([]string{names.OperatorNamespace, names.DefaultNamespace}, Namespaces())
}

// MarkNamespaces creates the namespaces of the operator, of the mesh and of the bookstore with the mark. It runs before anything else is created, so
// that an interrupted demo can be removed. The operator uses a namespace that exists, and keeps it when the Mesh is deleted.
func MarkNamespaces(ctx context.Context, c client.Client) error {
	for _, name := range allNamespaces() {
		namespace := &corev1.Namespace{}
		namespace.Name, namespace.Labels = name, map[string]string{MarkLabel: markValue}
		if err := c.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create namespace %s: %w", name, err)
		}
	}
	return nil
}

// MarkMesh creates the Mesh with the mark, unless it exists.
func MarkMesh(ctx context.Context, c client.Client) error {
	mesh := &v1alpha1.Mesh{}
	mesh.Name, mesh.Labels = meshName, map[string]string{MarkLabel: markValue}
	if err := c.Create(ctx, mesh); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create Mesh %s: %w", meshName, err)
	}
	return nil
}

// Removal is what the demo has created in a cluster, and a reason for each part that stays.
type Removal struct {
	// Namespaces are those of the bookstore.
	Namespaces []string
	Mesh       bool
	// MeshNamespace is that of the control plane.
	MeshNamespace bool
	// Operator includes the CustomResourceDefinitions.
	Operator bool
	Kept     []string
}

// FindRemoval returns what can be removed. The operator stays if another Mesh needs it.
func FindRemoval(ctx context.Context, c client.Reader) (Removal, error) {
	var r Removal
	for _, name := range Namespaces() {
		own, err := isOwn(ctx, c, name)
		if err != nil {
			return r, err
		}
		if own {
			r.Namespaces = append(r.Namespaces, name)
		} else if err := r.keepNamespace(ctx, c, name); err != nil {
			return r, err
		}
	}
	var err error
	if r.MeshNamespace, err = isOwn(ctx, c, names.DefaultNamespace); err != nil {
		return r, err
	}
	others, err := r.findMesh(ctx, c)
	if err != nil {
		return r, err
	}
	if r.Operator, err = isOwn(ctx, c, names.OperatorNamespace); err != nil {
		return r, err
	}
	if !r.Operator {
		return r, r.keepNamespace(ctx, c, names.OperatorNamespace)
	}
	r.Kept = append(r.Kept, "the CustomResourceDefinitions of SMI, because policies of others may use them")
	if others > 0 {
		r.Operator = false
		r.Kept = append(r.Kept, "the operator, because there are other meshes")
	}
	return r, nil
}

// keepNamespace records a namespace that exists and stays.
func (r *Removal) keepNamespace(ctx context.Context, c client.Reader, name string) error {
	unmanaged, err := isUnmanaged(ctx, c, name)
	if unmanaged {
		r.Kept = append(r.Kept, fmt.Sprintf("namespace %s, because the demo did not create it", name))
	}
	return err
}

// findMesh looks for the Mesh of the demo, and counts the others. Without the definition of the kind there are none.
func (r *Removal) findMesh(ctx context.Context, c client.Reader) (others int, err error) {
	list := &v1alpha1.MeshList{}
	err = c.List(ctx, list)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("list Meshes: %w", err)
	}
	for i := range list.Items {
		if mesh := &list.Items[i]; mesh.Name == meshName && mesh.Labels[MarkLabel] == markValue {
			r.Mesh = true
			continue
		}
		others++
		r.Kept = append(r.Kept, fmt.Sprintf("Mesh %s, because the demo did not create it", list.Items[i].Name))
	}
	return others, nil
}

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
		exists, err := isUnmanaged(ctx, c, name)
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
		exists, err := isUnmanaged(ctx, c, name)
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

// isUnmanaged reports whether a namespace exists and the demo did not create it.
func isUnmanaged(ctx context.Context, c client.Reader, name string) (bool, error) {
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
