package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	operatorv1alpha1 "github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Flags select the cluster, the namespace and the namespace of the control plane.
type Flags struct {
	// OSMNamespace is the namespace of the control plane.
	OSMNamespace string
	// Verbose adds the API server's error to the message.
	Verbose bool

	config   *genericclioptions.ConfigFlags
	warnings io.Writer
	// podTimeout is how long a pod may take to answer. The API server waits for kubelets and pods without a limit.
	podTimeout time.Duration
}

// podTimeout is the value of Flags.podTimeout.
const podTimeout = 30 * time.Second

// NewFlags returns flags with the defaults of OSM and kubectl. Warnings of the API server are written to warnings.
func NewFlags(warnings io.Writer) *Flags {
	config := genericclioptions.NewConfigFlags(true)
	// Rarely used connection flags are left out. They can be set in the kubeconfig.
	config.CacheDir, config.ClusterName, config.AuthInfoName = nil, nil, nil
	config.CertFile, config.KeyFile, config.CAFile, config.BearerToken = nil, nil, nil, nil
	config.Insecure, config.TLSServerName, config.DisableCompression = nil, nil, nil
	config.ImpersonateUID, config.ImpersonateUserExtra, config.APIServer = nil, nil, nil
	return &Flags{OSMNamespace: names.DefaultNamespace, config: config, warnings: warnings, podTimeout: podTimeout}
}

// ForContext returns flags that select another context of the same kubeconfig, and nothing else of the cluster.
func (f *Flags) ForContext(name string) *Flags {
	other := NewFlags(f.warnings)
	other.OSMNamespace, other.Verbose, other.podTimeout = f.OSMNamespace, f.Verbose, f.podTimeout
	other.config.KubeConfig, other.config.Timeout = f.config.KubeConfig, f.config.Timeout
	other.config.Impersonate, other.config.ImpersonateGroup = f.config.Impersonate, f.config.ImpersonateGroup
	other.config.Context = &name
	return other
}

// AddTo adds the flags to a flag set.
func (f *Flags) AddTo(set *pflag.FlagSet) {
	f.config.AddFlags(set)
	set.StringVar(&f.OSMNamespace, "osm-namespace", f.OSMNamespace, "namespace of the control plane")
	set.BoolVar(&f.Verbose, "verbose", false, "also print the API server's error message")
}

// Namespace returns the namespace of -n, the namespace of the kubeconfig context, or "default".
func (f *Flags) Namespace() (string, error) {
	namespace, _, err := f.config.ToRawKubeConfigLoader().Namespace()
	return namespace, f.Sentence(err)
}

// unconfigured is the default address of client-go without a kubeconfig.
const unconfigured = "http://localhost:8080"

// Config returns the client configuration.
func (f *Flags) Config() (*rest.Config, error) {
	config, err := f.config.ToRESTConfig()
	if err != nil {
		return nil, f.Sentence(err)
	}
	if raw, err := f.config.ToRawKubeConfigLoader().RawConfig(); err == nil && len(raw.Clusters) == 0 && config.Host == unconfigured {
		return nil, f.Sentence(clientcmd.ErrEmptyConfig)
	}
	config = rest.CopyConfig(config)
	// The API server limits its clients itself (API priority and fairness).
	config.QPS = -1
	config.WarningHandler = warnings{rest.NewWarningWriter(f.warnings, rest.WarningWriterOptions{Deduplicate: true})}
	config.UserAgent = "osm"
	return config, nil
}

// warnings forwards the API server's warnings except deprecation warnings. Users cannot change which API versions this program reads.
type warnings struct{ next rest.WarningHandler }

// HandleWarningHeader implements rest.WarningHandler.
func (w warnings) HandleWarningHeader(code int, agent, text string) {
	if !strings.Contains(text, " is deprecated") {
		w.next.HandleWarningHeader(code, agent, text)
	}
}

// Clientset returns a client for subresources, such as logs and tokens.
func (f *Flags) Clientset() (*kubernetes.Clientset, error) {
	config, err := f.Config()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// Client returns a client for the kinds of Kubernetes and the mesh.
func (f *Flags) Client() (client.WithWatch, error) {
	config, err := f.Config()
	if err != nil {
		return nil, err
	}
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	return c, f.Sentence(err)
}

// Scheme returns a scheme with the kinds of Kubernetes and the mesh.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, operatorv1alpha1.AddToScheme, configv1alpha2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// ContextName returns the name of the current kubeconfig context, or "" if there is none.
func (f *Flags) ContextName() string {
	if selected := ptr.Deref(f.config.Context, ""); selected != "" {
		return selected
	}
	raw, err := f.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return ""
	}
	return raw.CurrentContext
}

// Contexts returns the names of the contexts in the kubeconfig, sorted; none if it cannot be read.
func (f *Flags) Contexts() []string {
	raw, err := f.config.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(raw.Contexts))
}

// kubeconfig returns the path of the kubeconfig for error messages.
func (f *Flags) kubeconfig() string {
	return cmp.Or(ptr.Deref(f.config.KubeConfig, ""), os.Getenv("KUBECONFIG"), "~/.kube/config")
}

// OnlyNamespace returns the namespace of -n, or "" if -n is not set.
func (f *Flags) OnlyNamespace() string {
	return ptr.Deref(f.config.Namespace, "")
}

// ErrNoOperator is returned if the cluster has no CRD for Mesh.
var ErrNoOperator = errors.New("the operator is not installed (no CRD for kind Mesh): install it with `osm install --operator`, or apply dist/install.yaml")

// Sentence replaces a known client error by a message with the remedy. Other errors are returned unchanged.
func (f *Flags) Sentence(err error) error {
	if err == nil {
		return nil
	}
	known := f.sentence(err)
	if known == "" {
		return err
	}
	if f.Verbose {
		known += "\n  " + err.Error()
	}
	return &rewrittenError{text: known, cause: err}
}

// rewrittenError is an error with a rewritten message.
type rewrittenError struct {
	text  string
	cause error
}

func (e *rewrittenError) Error() string { return e.text }
func (e *rewrittenError) Unwrap() error { return e.cause }

func (f *Flags) sentence(err error) string {
	var rewritten *rewrittenError
	var address *url.Error
	switch {
	case errors.As(err, &rewritten), errors.Is(err, context.Canceled):
		return ""
	case clientcmd.IsEmptyConfig(err):
		return "no cluster is configured: set KUBECONFIG or use --kubeconfig"
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("kubeconfig %s not found: check --kubeconfig or KUBECONFIG", f.kubeconfig())
	case clientcmd.IsContextNotFound(err) || clientcmd.IsConfigurationInvalid(err) || strings.Contains(err.Error(), "context \"") &&
		strings.Contains(err.Error(), "does not exist"):
		return fmt.Sprintf("invalid kubeconfig %s (%s): list contexts with `kubectl config get-contexts` and select one with --context", f.kubeconfig(), err)
	case IsUndefined(err):
		return undefined(err)
	case apierrors.IsUnauthorized(err):
		return fmt.Sprintf("not authenticated: log in again, or select another context than %q with --context", f.ContextName())
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("permission denied: %s. Ask a cluster administrator for this permission (`kubectl auth can-i --list` shows yours)", forbidden(err))
	case errors.As(err, &address):
		return unreachable(address)
	}
	return ""
}

// IsUndefined returns true if the cluster has no CRD for the requested kind.
func IsUndefined(err error) bool {
	var groups *discovery.ErrGroupDiscoveryFailed
	return meta.IsNoMatchError(err) || errors.As(err, &groups)
}

func undefined(err error) string {
	if strings.Contains(err.Error(), operatorv1alpha1.GroupVersion.Group) || strings.Contains(err.Error(), `"Mesh`) {
		return ErrNoOperator.Error()
	}
	return fmt.Sprintf("the cluster has no CRD for a required kind (%s): check that a mesh is installed with `osm check`", err)
}

// forbidden returns the API server's explanation without the prefix that repeats the object.
func forbidden(err error) string {
	text := err.Error()
	if _, after, found := strings.Cut(text, "is forbidden: "); found {
		return after
	}
	return text
}

func unreachable(err *url.Error) string {
	host := err.URL
	if parsed, parseErr := url.Parse(err.URL); parseErr == nil {
		host = parsed.Scheme + "://" + parsed.Host
	}
	reason := err.Err.Error()
	var operation *net.OpError
	switch {
	case err.Timeout():
		reason = "timeout"
	case strings.Contains(reason, "x509:"):
		return fmt.Sprintf("the kubeconfig does not trust the certificate of the cluster at %s (%s): check certificate-authority-data and server", host, reason)
	case errors.As(err.Err, &operation):
		reason = operation.Err.Error()
	}
	return fmt.Sprintf("could not connect to the cluster at %s (%s): check that it is running and that --context is correct", host, reason)
}
