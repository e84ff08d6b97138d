package servertest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/denials"
	"github.com/openservicemesh/osm-operator/internal/controlplane/loadstats"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

const namespace = "osm-system"

// empty is a Store without sidecars.
type empty struct{}

func (empty) IsReady() bool                                   { return true }
func (empty) Proxies() []status.Proxy                         { return nil }
func (empty) CompleteEpochs() map[entity.InstanceID]uint64    { return nil }
func (empty) Trust() status.Trust                             { return status.Trust{} }
func (empty) Rejections() []quarantine.Rejection              { return nil }
func (empty) LimitedPolicies() []status.LimitedPolicy         { return nil }
func (empty) Traces() []status.Trace                          { return nil }
func (empty) View(context.Context, func(*catalog.View)) error { return nil }
func (empty) Policy(context.Context, entity.Ref) (status.Policy, error) {
	return status.Policy{}, status.ErrUnknownPolicy
}

// issuer is the generation of the root.
type issuer struct{}

// Generation returns the generation.
func (issuer) Generation() string { return "g1" }

// Failure returns none.
func (issuer) Failure() *certificate.Failure { return nil }

// install creates the accounts and roles of a control plane, as the operator does.
func install(t *testing.T, config *rest.Config) {
	t.Helper()
	images := operand.Images{Controller: "c", Injector: "i", Init: "n", Sidecar: "s"}
	catalogue, err := operand.NewCatalogue("dev", images)
	if err != nil {
		t.Fatal(err)
	}
	release, err := catalogue.Release("dev")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := release.ControlPlane(operand.Parameters{
		Mesh: "osm", Namespace: namespace, OperatorNamespace: names.OperatorNamespace, Revision: "osm", TrustDomain: "cluster.local",
		Controller: operand.Workload{Replicas: 1}, Injector: operand.Workload{Replicas: 1}, Images: images,
	})
	if err != nil {
		t.Fatal(err)
	}
	creator, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := creator.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		switch object.GetKind() {
		case "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding":
			if err := creator.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// token is one of a service account in the control plane's namespace; without audiences it is for the API server.
func token(t *testing.T, clients kubernetes.Interface, account string, audiences ...string) string {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	answer, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}

// TestOnlyTokensForTheReportMayRead asks as the control plane itself, whose leader asks the other replicas; as somebody who may not; with tokens for the API server, another mesh and
// sidecars; and with a broken one. What the handler asks the API server, it asks with the control plane's permissions.
func TestOnlyTokensForTheReportMayRead(t *testing.T) {
	config := envtest.Start(t)
	install(t, config)
	clients := kubernetes.NewForConfigOrDie(config)
	own := rest.AnonymousClientConfig(config)
	own.BearerToken = token(t, clients, names.Controller)
	reviewers := kubernetes.NewForConfigOrDie(own)
	access := server.NewAccess(server.AccessConfig{Mesh: "osm", Unknown: reviewers, Known: reviewers, Now: time.Now})
	handler := server.Handler(empty{}, loadstats.NewStore(time.Now), denials.NewStore(time.Now), issuer{}, nil, access)
	for name, test := range map[string]struct {
		token string
		code  int
	}{
		"another replica":             {token(t, clients, names.Controller, names.ReportAudience("osm")), http.StatusOK},
		"a replica without audience":  {own.BearerToken, http.StatusUnauthorized},
		"the reader":                  {token(t, clients, names.ReportReader, names.ReportAudience("osm")), http.StatusOK},
		"the reader without audience": {token(t, clients, names.ReportReader), http.StatusUnauthorized},
		"the injector":                {token(t, clients, names.Injector, names.ReportAudience("osm")), http.StatusForbidden},
		"a token for another mesh":    {token(t, clients, names.Controller, names.ReportAudience("other")), http.StatusUnauthorized},
		"a token made for sidecars":   {token(t, clients, names.Controller, names.TokenAudience("osm", namespace)), http.StatusUnauthorized},
		"a broken token":              {own.BearerToken + "x", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodGet, report.ProxiesPath, nil)
			request.Header.Set("Authorization", "Bearer "+test.token)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != test.code {
				t.Errorf("got %d %s, want %d", recorder.Code, recorder.Body, test.code)
			}
		})
	}
}
