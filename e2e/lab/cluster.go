package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// Cluster is a client of a test cluster.
type Cluster struct {
	Repository Repository
	// Kubeconfig is the path of the administrator's kubeconfig.
	Kubeconfig string
	Config     *rest.Config
	Client     client.WithWatch
	// Version is the tag of the project's images, and Earlier the last recorded version before it, which upgrades start from.
	Version, Earlier string
	kubectl          string
}

// Start starts the local cluster and connects to it. With CLUSTER=current it connects to the kubeconfig's cluster.
func Start(ctx context.Context, out io.Writer) (*Cluster, error) {
	repository, err := FindRepository()
	if err != nil {
		return nil, err
	}
	if err := repository.reserve(ctx, out); err != nil {
		return nil, err
	}
	if err := repository.Tool(ctx, out, "./cluster", "up"); err != nil {
		return nil, err
	}
	return Connect(ctx, repository)
}

// Connect connects to the running cluster.
func Connect(ctx context.Context, repository Repository) (*Cluster, error) {
	kubeconfig, err := repository.ToolOutput(ctx, "./cluster", "kubeconfig")
	if err != nil {
		return nil, err
	}
	kubectl, err := findKubectl(ctx, repository)
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = 100, 200
	// Without a logger, controller-runtime prints a warning with a stack trace.
	log.SetLogger(logr.Discard())
	// Warnings about deprecated kinds are dropped: such kinds are read only because users may still have them.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	version, err := os.ReadFile(repository.Path("VERSION"))
	if err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, err
	}
	present := strings.TrimSpace(string(version))
	earlier, err := earlierVersion(present)
	if err != nil {
		return nil, err
	}
	return &Cluster{
		Repository: repository, Kubeconfig: kubeconfig, Config: config, Client: c,
		Version: present, Earlier: earlier, kubectl: kubectl,
	}, nil
}

// earlierVersion returns the last recorded version before a version.
func earlierVersion(version string) (string, error) {
	catalogue, err := operand.NewCatalogue(version, operand.Images{})
	if err != nil {
		return "", err
	}
	known := catalogue.Known()
	i := slices.Index(known, version)
	if i == 0 {
		return "", fmt.Errorf("no version before %s is recorded", version)
	}
	return known[i-1], nil
}

// Scheme returns a scheme with the kinds of Kubernetes and of the project.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, operatorv1alpha1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // Two packages register the same kind: a programming error.
		}
	}
	return scheme
}

// BuildImages builds images and loads them onto the cluster's node; without names it builds all. With CLUSTER=current
// it does nothing, because the images must already be in a registry.
func (c *Cluster) BuildImages(ctx context.Context, out io.Writer, names ...string) error {
	if IsCurrent() {
		return nil
	}
	if err := c.Repository.Tool(ctx, out, append([]string{"./images"}, names...)...); err != nil {
		return err
	}
	archives, err := filepath.Glob(c.Repository.Path("bin", "images", "*.tar"))
	if err != nil {
		return err
	}
	return c.Repository.Tool(ctx, out, append([]string{"./cluster", "load"}, archives...)...)
}

// LoadVersion builds the images of a recorded version if needed and loads them onto the cluster's node. With
// CLUSTER=current it does nothing, because the images must already be in a registry.
func (c *Cluster) LoadVersion(ctx context.Context, out io.Writer, version string) error {
	if IsCurrent() {
		return nil
	}
	return c.Repository.Tool(ctx, out, "./cluster", "load-version", version)
}
