package certmanager

import (
	"fmt"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Requests returns an empty list of CertificateRequests.
func Requests() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(cmapi.SchemeGroupVersion.WithKind(cmapi.CertificateRequestKind + "List"))
	return list
}

// RequestProblem returns why the latest CertificateRequest of a Certificate has no answer, for example because its issuer does not exist; empty
// without one. The Certificate does not have this reason.
func RequestProblem(list *unstructured.UnstructuredList, certificate string) string {
	var latest *cmapi.CertificateRequest
	for i := range list.Items {
		request := &cmapi.CertificateRequest{}
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, request)
		if err != nil || request.Annotations[cmapi.CertificateNameKey] != certificate {
			continue
		}
		if latest == nil || latest.CreationTimestamp.Before(&request.CreationTimestamp) {
			latest = request
		}
	}
	if latest == nil {
		return ""
	}
	if problem := requestProblem(latest.Status.Conditions); problem != "" {
		return fmt.Sprintf("its CertificateRequest %s: %s", latest.Name, problem)
	}
	return ""
}

// requestProblem returns the reason that the conditions have: a denial before others.
func requestProblem(conditions []cmapi.CertificateRequestCondition) string {
	problem, approved := "", false
	for _, c := range conditions {
		isTrue := c.Status == cmmeta.ConditionTrue
		switch {
		case c.Type == cmapi.CertificateRequestConditionDenied && isTrue:
			return "it was denied: " + c.Message
		case c.Type == cmapi.CertificateRequestConditionInvalidRequest && isTrue:
			return "it is invalid: " + c.Message
		case c.Type == cmapi.CertificateRequestConditionReady && isTrue:
			return ""
		case c.Type == cmapi.CertificateRequestConditionReady:
			problem = c.Message
		case c.Type == cmapi.CertificateRequestConditionApproved:
			approved = isTrue
		}
	}
	switch {
	case problem != "":
		return problem
	case !approved:
		return "no approver has approved it"
	}
	return "its issuer has not answered: is the controller of the issuer running?"
}
