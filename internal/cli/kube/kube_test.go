package kube

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
)

// kubeconfig has the contexts shop, with a token and a namespace, and plain.
const kubeconfig = `
apiVersion: v1
kind: Config
current-context: shop
clusters: [{name: c, cluster: {%s}}]
users: [{name: u, user: {token: secret}}, {name: nobody, user: {}}]
contexts:
- {name: shop, context: {cluster: c, user: u, namespace: shop}}
- {name: plain, context: {cluster: c, user: nobody}}
`

// flagsFor returns flags that are parsed from arguments, with a kubeconfig for a server.
func flagsFor(t *testing.T, server string, args ...string) *Flags {
	t.Helper()
	return flagsForCluster(t, "server: "+strconv.Quote(server), args...)
}

// flagsForCluster is flagsFor with all fields of the cluster.
func flagsForCluster(t *testing.T, cluster string, args ...string) *Flags {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, fmt.Appendf(nil, kubeconfig, cluster), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", path)
	flags, set := NewFlags(io.Discard), pflag.NewFlagSet("osm", pflag.ContinueOnError)
	flags.AddTo(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestFlagsSelectContextAndNamespace(t *testing.T) {
	for name, test := range map[string]struct {
		args                     []string
		namespace, only, context string
	}{
		"defaults":        {nil, "shop", "", "shop"},
		"-n":              {[]string{"-n", "bank"}, "bank", "bank", "shop"},
		"another context": {[]string{"--context", "plain"}, "default", "", "plain"},
	} {
		flags := flagsFor(t, "https://192.0.2.1", test.args...)
		namespace, err := flags.Namespace()
		if err != nil || namespace != test.namespace || flags.OnlyNamespace() != test.only || flags.ContextName() != test.context {
			t.Errorf("%s: namespace %q (%v), only %q, context %q; want %q, %q, %q", name, namespace, err, flags.OnlyNamespace(), flags.ContextName(),
				test.namespace, test.only, test.context)
		}
		if config, err := flags.Config(); err != nil || config.Host != "https://192.0.2.1" || config.UserAgent != "osm" {
			t.Errorf("%s: the configuration is %+v (%v), want the server of the kubeconfig", name, config, err)
		}
	}
}

// TestMissingKubeconfig checks what a user without a cluster reads, instead of an error about localhost.
func TestMissingKubeconfig(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"an empty file":   {nil, "no cluster is configured: set KUBECONFIG or use --kubeconfig"},
		"no such file":    {[]string{"--kubeconfig", "/nonexistent/config"}, "kubeconfig /nonexistent/config not found: check --kubeconfig or KUBECONFIG"},
		"no such context": {[]string{"--context", "none"}, "list contexts with `kubectl config get-contexts`"},
	} {
		flags := flagsFor(t, "https://192.0.2.1", test.args...)
		if test.args == nil {
			t.Setenv("KUBECONFIG", empty)
		}
		if _, err := flags.Config(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, test.want)
		}
	}
}

// TestSentencesHaveRemedies checks what users read instead of the errors of the client.
func TestSentencesHaveRemedies(t *testing.T) {
	meshes := schema.GroupResource{Group: "operator.openservicemesh.io", Resource: "meshes"}
	other := errors.New("something else")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"unknown":            {other, "something else"},
		"canceled":           {context.Canceled, "context canceled"},
		"no operator":        {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: meshes.Group, Kind: "Mesh"}}, "the operator is not installed"},
		"no other kind":      {&meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "split.smi-spec.io", Kind: "TrafficSplit"}}, "the cluster has no CRD for a required kind"},
		"not authenticated":  {apierrors.NewUnauthorized("expired"), `log in again, or select another context than "shop" with --context`},
		"permission":         {apierrors.NewForbidden(meshes, "osm", errors.New("you may not")), "permission denied: you may not. Ask a cluster administrator"},
		"permission, nested": {fmt.Errorf("list: %w", apierrors.NewForbidden(meshes, "osm", errors.New("you may not"))), "permission denied: you may not."},
		"empty":              {clientcmd.ErrEmptyConfig, "no cluster is configured"},
	} {
		flags := flagsFor(t, "https://192.0.2.1")
		got := flags.Sentence(test.err)
		if !strings.Contains(got.Error(), test.want) || !errors.Is(got, test.err) {
			t.Errorf("%s: %q, want %q, with the original error as its cause", name, got, test.want)
		}
		if again := flags.Sentence(got); again.Error() != got.Error() {
			t.Errorf("%s: rewritten twice it is %q, want %q", name, again, got)
		}
		flags.Verbose = true
		if verbose := flags.Sentence(test.err).Error(); !strings.Contains(verbose, test.err.Error()) {
			t.Errorf("%s: with --verbose %q, want the original error %q in it", name, verbose, test.err)
		}
	}
	if err := flagsFor(t, "https://192.0.2.1").Sentence(nil); err != nil {
		t.Errorf("no error becomes %v", err)
	}
}

// TestUnreachableServers checks what users read about servers that do not answer as the kubeconfig expects.
func TestUnreachableServers(t *testing.T) {
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hanging.Close()
	for name, test := range map[string]struct {
		server string
		want   []string
	}{
		"closed":    {closed.URL, []string{"could not connect to the cluster at " + closed.URL, "connection refused"}},
		"untrusted": {untrusted.URL, []string{"does not trust the certificate of the cluster at " + untrusted.URL, "certificate-authority-data"}},
		"hanging":   {hanging.URL, []string{"could not connect to the cluster at " + hanging.URL, "timeout"}},
	} {
		flags := flagsFor(t, test.server)
		if name == "hanging" {
			*flags.config.Timeout = "500ms"
		}
		_, err := flags.PodAnswer(t.Context(), "shop", "web", 80, "/")
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want an error with %q", name, err, want)
			}
		}
	}
}

// tokenServer is an API server that answers requests for tokens, with two warnings. It records the last path and body.
func tokenServer(t *testing.T) (cluster string, path, body *string) {
	t.Helper()
	path, body = new(string), new(string)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, _ := io.ReadAll(r.Body)
		*path, *body = r.URL.Path, string(content)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("Warning", `299 - "policy/v1beta1 is deprecated"`)
		w.Header().Add("Warning", `299 - "the label has no effect"`)
		_, _ = io.WriteString(w, `{"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "status": {"token": "requested"}}`)
	}))
	t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return fmt.Sprintf("server: %q, certificate-authority-data: %s", server.URL, base64.StdEncoding.EncodeToString(authority)), path, body
}

// A server in the cluster never receives a token for the API server, neither the user's nor that of an account.
func TestRequestedTokensHaveAnAudience(t *testing.T) {
	cluster, path, body := tokenServer(t)
	flags := flagsForCluster(t, cluster)
	got, err := flags.RequestToken(t.Context(), "osm-system", "reader", "report.osm")
	if err != nil || got != "requested" || *path != "/api/v1/namespaces/osm-system/serviceaccounts/reader/token" || !strings.Contains(*body, "report.osm") {
		t.Errorf("token %q (%v) by a request to %s with %q, want one for the audience report.osm", got, err, *path, *body)
	}
	*path = ""
	if got, err := flags.RequestToken(t.Context(), "osm-system", "reader", ""); err == nil || got != "" || *path != "" {
		t.Errorf("without audience: token %q by a request to %q, want an error and no request", got, *path)
	}
}

// TestDeprecationsAreNotPrinted checks that users read only the warnings that concern them.
func TestDeprecationsAreNotPrinted(t *testing.T) {
	cluster, _, _ := tokenServer(t)
	var printed bytes.Buffer
	flags := flagsForCluster(t, cluster)
	flags.warnings = &printed
	if _, err := flags.RequestToken(t.Context(), "osm-system", "reader", "report.osm"); err != nil {
		t.Fatal(err)
	}
	if got := printed.String(); !strings.Contains(got, "the label has no effect") || strings.Contains(got, "deprecated") {
		t.Errorf("printed %q, want the warning about the label only", got)
	}
}

func TestPodsThatHaveEnded(t *testing.T) {
	for name, test := range map[string]struct {
		pod  corev1.Pod
		want bool
	}{
		"running":     {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning}}, false},
		"succeeded":   {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}, true},
		"failed":      {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed}}, true},
		"terminating": {corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}, true},
	} {
		if got := IsGone(&test.pod); got != test.want {
			t.Errorf("a %s pod is gone: %t, want %t", name, got, test.want)
		}
	}
}
