package requests

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

const (
	// maxConcurrent limits the simultaneous requests of a replica.
	maxConcurrent = 16
	// deleteTimeout is how long the deletion of a CertificateRequest may take.
	deleteTimeout = 10 * time.Second
	// namePrefix starts the names of all CertificateRequests.
	namePrefix = "osm-workload-"
	// workloadAnnotation has the workload of a CertificateRequest, as "<namespace>/<service account>".
	workloadAnnotation = "openservicemesh.io/workload"
)

// Config configures a Requester. All fields are required.
type Config struct {
	// Client writes and watches CertificateRequests.
	Client client.WithWatch
	// Namespace is the namespace of the mesh.
	Namespace string
	// Labels are those of the CertificateRequests. No other objects have them.
	Labels map[string]string
	// Timeout is how long a request may take.
	Timeout time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Requester requests certificates of cert-manager. It is safe for concurrent use.
type Requester struct {
	config Config
	slots  *slots
}

// New returns a Requester.
func New(config Config) *Requester {
	return &Requester{config: config, slots: newSlots(maxConcurrent)}
}

// Request implements certificate.Requester.
func (r *Requester) Request(issuer certificate.ExternalIssuer, workload identity.ServiceAccount, csr []byte, lifetime time.Duration) ([]byte, error) {
	r.slots.acquire(workload.Namespace)
	defer r.slots.release()
	ctx, cancel := context.WithTimeout(context.Background(), r.config.Timeout)
	defer cancel()
	request := r.newRequest(issuer, workload, csr, lifetime)
	// The watch begins before the object exists, so that no event is missed.
	events, err := r.config.Client.Watch(ctx, &cmapi.CertificateRequestList{}, client.InNamespace(request.Namespace),
		client.MatchingFields{"metadata.name": request.Name})
	if err != nil {
		return nil, describe(fmt.Errorf("the CertificateRequest of %s cannot be watched: %w", workload, err))
	}
	defer events.Stop()
	if err := r.config.Client.Create(ctx, request); err != nil {
		return nil, describe(fmt.Errorf("the CertificateRequest of %s cannot be created: %w", workload, err))
	}
	defer r.remove(request)
	chain, err := await(ctx, events, request.Name)
	events.Stop()
	if err != nil {
		return nil, fmt.Errorf("cert-manager has not issued a certificate for %s: %w", workload, err)
	}
	return chain, nil
}

func (r *Requester) newRequest(issuer certificate.ExternalIssuer, workload identity.ServiceAccount, csr []byte,
	lifetime time.Duration,
) *cmapi.CertificateRequest {
	return &cmapi.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.config.Namespace, Name: namePrefix + uuid.NewString(), Labels: r.config.Labels,
			Annotations: map[string]string{workloadAnnotation: workload.String()},
		},
		Spec: cmapi.CertificateRequestSpec{
			Request: csr, Duration: &metav1.Duration{Duration: lifetime},
			IssuerRef: cmmeta.IssuerReference{Name: issuer.Name, Kind: issuer.Kind, Group: issuer.Group},
			Usages:    []cmapi.KeyUsage{cmapi.UsageDigitalSignature, cmapi.UsageKeyEncipherment, cmapi.UsageClientAuth, cmapi.UsageServerAuth},
		},
	}
}

// await waits until a CertificateRequest is completed.
func await(ctx context.Context, events watch.Interface, name string) ([]byte, error) {
	last := "it has not processed the CertificateRequest: is it running?"
	for {
		select {
		case <-ctx.Done():
			return nil, errors.New(last)
		case event, ok := <-events.ResultChan():
			if !ok {
				return nil, errors.New("the watch has ended: " + last)
			}
			request, isRequest := event.Object.(*cmapi.CertificateRequest)
			if !isRequest || request.Name != name {
				continue
			}
			if event.Type == watch.Deleted {
				return nil, errors.New("the CertificateRequest was deleted")
			}
			chain, pending, err := result(request)
			if chain != nil || err != nil {
				return chain, err
			}
			if pending != "" {
				last = pending
			}
		}
	}
}

// result returns the chain of a CertificateRequest, or why there is none: what it waits for, or an error that is final.
func result(request *cmapi.CertificateRequest) (chain []byte, pending string, err error) {
	// The conditions have any order, and that of a denial has its reason.
	var rejected error
	for _, c := range request.Status.Conditions {
		isTrue := c.Status == cmmeta.ConditionTrue
		switch {
		case c.Type == cmapi.CertificateRequestConditionDenied && isTrue:
			return nil, "", &certificate.DeniedError{Message: "the request was denied: " + c.Message}
		case c.Type == cmapi.CertificateRequestConditionInvalidRequest && isTrue:
			return nil, "", &certificate.DeniedError{Message: "the request is invalid: " + c.Message}
		case c.Type != cmapi.CertificateRequestConditionReady:
		case c.Reason == cmapi.CertificateRequestReasonDenied:
			rejected = &certificate.DeniedError{Message: "the request was denied: " + c.Message}
		case c.Reason == cmapi.CertificateRequestReasonFailed:
			rejected = fmt.Errorf("the request has failed: %s", c.Message)
		case isTrue && len(request.Status.Certificate) > 0:
			return request.Status.Certificate, "", nil
		default:
			pending = c.Message
		}
	}
	return nil, pending, rejected
}

// remove deletes a CertificateRequest. One that cannot be deleted is swept later.
func (r *Requester) remove(request *cmapi.CertificateRequest) {
	ctx, cancel := context.WithTimeout(context.Background(), deleteTimeout)
	defer cancel()
	_ = r.config.Client.Delete(ctx, request)
}

// describe adds what to do about an error of the API server.
func describe(err error) error {
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("%w: install cert-manager", err)
	}
	return err
}

// abandonedAge is the age from which a CertificateRequest is one of a replica that has crashed.
const abandonedAge = 10 * time.Minute

// SweepEvery sweeps at once and then at an interval until ctx ends, whenever isUsed says that workloads have certificates of cert-manager.
func (r *Requester) SweepEvery(ctx context.Context, interval time.Duration, isUsed func() bool, failed func(error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		if isUsed() {
			if err := r.Sweep(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Sweep deletes the CertificateRequests of replicas that have crashed.
func (r *Requester) Sweep(ctx context.Context) error {
	var list cmapi.CertificateRequestList
	if err := r.config.Client.List(ctx, &list, client.InNamespace(r.config.Namespace), client.MatchingLabels(r.config.Labels)); err != nil {
		return describe(fmt.Errorf("the CertificateRequests of workloads cannot be listed: %w", err))
	}
	var errs []error
	for i := range list.Items {
		request := &list.Items[i]
		if r.config.Now().Sub(request.CreationTimestamp.Time) > abandonedAge {
			errs = append(errs, client.IgnoreNotFound(r.config.Client.Delete(ctx, request)))
		}
	}
	return errors.Join(errs...)
}

// slots limits simultaneous requests. Namespaces that wait get a slot in turn, so the requests of one namespace do not delay those of others for
// longer than one request takes. It is safe for concurrent use.
type slots struct {
	mu   sync.Mutex
	free int
	// waiting has the requests of each namespace in their order, and turns the namespaces that have some, the next one first.
	waiting map[string][]chan struct{}
	turns   []string
}

func newSlots(number int) *slots {
	return &slots{free: number, waiting: map[string][]chan struct{}{}}
}

// acquire waits for a slot.
func (s *slots) acquire(namespace string) {
	if granted := s.enqueue(namespace); granted != nil {
		<-granted
	}
}

// enqueue takes a free slot and returns nil. Without one it returns a channel that is closed once a slot is granted.
func (s *slots) enqueue(namespace string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		return nil
	}
	if len(s.waiting[namespace]) == 0 {
		s.turns = append(s.turns, namespace)
	}
	granted := make(chan struct{})
	s.waiting[namespace] = append(s.waiting[namespace], granted)
	return granted
}

// release passes a slot on to the next namespace that waits.
func (s *slots) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.turns) == 0 {
		s.free++
		return
	}
	next := s.turns[0]
	s.turns = s.turns[1:]
	queue := s.waiting[next]
	close(queue[0])
	if len(queue) == 1 {
		delete(s.waiting, next)
		return
	}
	s.waiting[next] = queue[1:]
	s.turns = append(s.turns, next)
}

// qps and burst limit the requests to the API server. A certificate takes three.
const qps, burst = 60, 60

// NewClient returns a client for CertificateRequests, with a rate limit of its own. It sends nothing before its first request.
func NewClient(config *rest.Config) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	if err := cmapi.AddToScheme(scheme); err != nil {
		return nil, err
	}
	own := rest.CopyConfig(config)
	own.QPS, own.Burst = qps, burst
	c, err := client.NewWithWatch(own, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("the client for CertificateRequests cannot be created: %w", err)
	}
	return c, nil
}
