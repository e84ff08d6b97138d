package requests

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

var (
	workload = identity.ServiceAccount{Namespace: "shop", Name: "web"}
	corp     = certificate.ExternalIssuer{Name: "corporate", Kind: "ClusterIssuer", Group: "cert-manager.io"}
)

// answer completes a CertificateRequest as cert-manager does.
type answer func(*cmapi.CertificateRequest)

func condition(kind cmapi.CertificateRequestConditionType, status cmmeta.ConditionStatus, reason, message string) answer {
	return func(r *cmapi.CertificateRequest) {
		r.Status.Conditions = append(r.Status.Conditions, cmapi.CertificateRequestCondition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}

func issued(r *cmapi.CertificateRequest) {
	condition(cmapi.CertificateRequestConditionReady, cmmeta.ConditionTrue, cmapi.CertificateRequestReasonIssued, "")(r)
	r.Status.Certificate = []byte("chain of " + string(r.Spec.Request))
}

// newRequester returns a Requester whose requests are answered as soon as they are created. seen has the requests.
func newRequester(t *testing.T, timeout time.Duration, answers ...answer) (*Requester, client.Client, *[]cmapi.CertificateRequest) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := cmapi.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	seen := &[]cmapi.CertificateRequest{}
	var mu sync.Mutex
	create := func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
		if err := c.Create(ctx, object, options...); err != nil {
			return err
		}
		request := object.DeepCopyObject().(*cmapi.CertificateRequest)
		mu.Lock()
		*seen = append(*seen, *request)
		mu.Unlock()
		for _, a := range answers {
			a(request)
			if err := c.Status().Update(ctx, request); err != nil {
				return err
			}
		}
		return nil
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&cmapi.CertificateRequest{}).WithInterceptorFuncs(interceptor.Funcs{Create: create}).Build()
	return New(Config{Client: c, Namespace: "osm-system", Labels: map[string]string{"mesh": "osm"}, Timeout: timeout, Now: time.Now}), c, seen
}

func requireNone(t *testing.T, c client.Client) {
	t.Helper()
	var list cmapi.CertificateRequestList
	if err := c.List(t.Context(), &list); err != nil || len(list.Items) > 0 {
		t.Errorf("%d CertificateRequests are left, %v", len(list.Items), err)
	}
}

func TestRequest(t *testing.T) {
	approved := condition(cmapi.CertificateRequestConditionApproved, cmmeta.ConditionTrue, "Policy", "approved")
	r, c, seen := newRequester(t, time.Minute, approved, issued)
	chain, err := r.Request(corp, workload, []byte("csr"), time.Hour)
	if err != nil || string(chain) != "chain of csr" {
		t.Fatalf("got %q, %v", chain, err)
	}
	request := (*seen)[0]
	if request.Spec.IssuerRef != (cmmeta.IssuerReference{Name: "corporate", Kind: "ClusterIssuer", Group: "cert-manager.io"}) || request.Spec.Duration.Duration != time.Hour || request.Spec.IsCA {
		t.Errorf("requested %+v", request.Spec)
	}
	if request.Namespace != "osm-system" || request.Annotations[workloadAnnotation] != "shop/web" {
		t.Errorf("the request is %+v", request.ObjectMeta)
	}
	requireNone(t, c)
}

func TestRequestIsNotIssued(t *testing.T) {
	for name, test := range map[string]struct {
		answer   answer
		want     string
		isDenied bool
	}{
		"denied by a policy": {condition(cmapi.CertificateRequestConditionDenied, cmmeta.ConditionTrue, "policy.cert-manager.io", "no policy allows spiffe://x"), "denied: no policy allows spiffe://x", true},
		"failed":             {condition(cmapi.CertificateRequestConditionReady, cmmeta.ConditionFalse, cmapi.CertificateRequestReasonFailed, "the CA is sealed"), "has failed: the CA is sealed", false},
		"denied after a first condition": {
			func(r *cmapi.CertificateRequest) {
				condition(cmapi.CertificateRequestConditionReady, cmmeta.ConditionFalse, cmapi.CertificateRequestReasonDenied, "denied")(r)
				condition(cmapi.CertificateRequestConditionDenied, cmmeta.ConditionTrue, "policy.cert-manager.io", "no policy allows spiffe://x")(r)
			}, "denied: no policy allows spiffe://x", true,
		},
		"invalid": {condition(cmapi.CertificateRequestConditionInvalidRequest, cmmeta.ConditionTrue, "x", "bad CSR"), "invalid: bad CSR", true},
	} {
		t.Run(name, func(t *testing.T) {
			r, c, _ := newRequester(t, time.Minute, test.answer)
			_, err := r.Request(corp, workload, []byte("csr"), time.Hour)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "shop/web") {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
			var denied *certificate.DeniedError
			if got := errors.As(err, &denied); got != test.isDenied {
				t.Errorf("%v is a denial: %v, want %v", err, got, test.isDenied)
			}
			requireNone(t, c)
		})
	}
}

// A request that nobody answers ends, and says what it waited for.
func TestRequestTimesOut(t *testing.T) {
	for want, answers := range map[string][]answer{
		"is it running?":            nil,
		"waiting for the signature": {condition(cmapi.CertificateRequestConditionReady, cmmeta.ConditionFalse, cmapi.CertificateRequestReasonPending, "waiting for the signature")},
	} {
		r, c, _ := newRequester(t, 50*time.Millisecond, answers...)
		if _, err := r.Request(corp, workload, []byte("csr"), time.Hour); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
		requireNone(t, c)
	}
}

// Many identities at once must not flood the API server and the issuer.
func TestRequestsAreLimited(t *testing.T) {
	started, release := make(chan struct{}, 2*maxConcurrent), make(chan struct{})
	wait := func(*cmapi.CertificateRequest) {
		started <- struct{}{}
		<-release
	}
	r, _, _ := newRequester(t, time.Minute, wait, issued)
	errs := make(chan error)
	// The watches of the fake client hold at most 100 events.
	const all = maxConcurrent + 4
	for i := range all {
		go func() {
			_, err := r.Request(corp, identity.ServiceAccount{Namespace: "shop", Name: fmt.Sprint(i)}, []byte("csr"), time.Hour)
			errs <- err
		}()
	}
	for range maxConcurrent {
		<-started
	}
	select {
	case <-started:
		t.Errorf("there are more than %d simultaneous requests", maxConcurrent)
	default:
	}
	close(release)
	for range all {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// A replica that crashes leaves its CertificateRequests. The next one deletes them, and not those of others.
func TestSweep(t *testing.T) {
	r, c, _ := newRequester(t, time.Minute)
	for name, labels := range map[string]map[string]string{"left": {"mesh": "osm"}, "other": {"mesh": "other"}} {
		if err := c.Create(t.Context(), &cmapi.CertificateRequest{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-system", Name: name, Labels: labels}}); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		var list cmapi.CertificateRequestList
		if err := c.List(t.Context(), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	created := time.Now()
	r.config.Now = func() time.Time { return time.Time{}.Add(time.Minute) }
	if err := r.Sweep(t.Context()); err != nil || count() != 2 {
		t.Errorf("a CertificateRequest in use was deleted, %v", err)
	}
	r.config.Now = func() time.Time { return created }
	if err := r.Sweep(t.Context()); err != nil || count() != 1 {
		t.Errorf("%d CertificateRequests are left, want that of the other mesh, %v", count(), err)
	}
}
