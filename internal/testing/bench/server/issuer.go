package server

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/requests"
)

// requestTimeout is the time limit of the control plane for a CertificateRequest.
const requestTimeout = 30 * time.Second

// issuer replaces the API server and cert-manager: each CertificateRequest is signed after a fixed time.
type issuer struct {
	client.WithWatch
	root  *x509.Certificate
	key   any
	delay time.Duration
	mu    sync.Mutex
	// watches are the open watches by the name of their CertificateRequest.
	watches map[string]*watch.FakeWatcher
}

// newRequester returns the requester of the control plane with an issuer that signs with the root of the mesh.
func newRequester(setup Setup) (certificate.Requester, error) {
	pair, rest := pem.Decode(setup.RootCert)
	keyBlock, _ := pem.Decode(setup.RootKey)
	if pair == nil || keyBlock == nil || len(rest) > 0 {
		return nil, errors.New("the root of the benchmark is not one certificate with its key")
	}
	root, err := x509.ParseCertificate(pair.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	i := &issuer{root: root, key: key, delay: setup.IssuerDelay, watches: map[string]*watch.FakeWatcher{}}
	return requests.New(requests.Config{Client: i, Namespace: "osm-system", Timeout: requestTimeout, Now: time.Now}), nil
}

// Watch opens the watch of one CertificateRequest.
func (i *issuer) Watch(_ context.Context, _ client.ObjectList, options ...client.ListOption) (watch.Interface, error) {
	var o client.ListOptions
	o.ApplyOptions(options)
	name, ok := o.FieldSelector.RequiresExactMatch("metadata.name")
	if !ok {
		return nil, fmt.Errorf("the watch %v selects no name", o.FieldSelector)
	}
	w := watch.NewFakeWithChanSize(1, false)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.watches[name] = w
	return w, nil
}

// Create has a CertificateRequest signed after the delay.
func (i *issuer) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	request := object.DeepCopyObject().(*cmapi.CertificateRequest)
	i.mu.Lock()
	w := i.watches[request.Name]
	i.mu.Unlock()
	time.AfterFunc(i.delay, func() {
		condition := cmapi.CertificateRequestCondition{Type: cmapi.CertificateRequestConditionReady, Status: cmmeta.ConditionTrue}
		chain, err := i.sign(request)
		if err != nil {
			condition.Status, condition.Reason, condition.Message = cmmeta.ConditionFalse, cmapi.CertificateRequestReasonFailed, err.Error()
		}
		request.Status.Certificate, request.Status.Conditions = chain, []cmapi.CertificateRequestCondition{condition}
		w.Modify(request)
	})
	return nil
}

// Delete forgets a CertificateRequest.
func (i *issuer) Delete(_ context.Context, object client.Object, _ ...client.DeleteOption) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.watches, object.GetName())
	return nil
}

// sign signs a CertificateRequest, and returns the chain in PEM.
func (i *issuer) sign(request *cmapi.CertificateRequest) ([]byte, error) {
	block, _ := pem.Decode(request.Spec.Request)
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: csr.Subject, DNSNames: csr.DNSNames, URIs: csr.URIs,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(request.Spec.Duration.Duration),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.root, csr.PublicKey, i.key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}
