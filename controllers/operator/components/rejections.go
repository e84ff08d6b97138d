package components

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
)

// apply applies the objects of a component: first those that are no reports, because these say what is rejected.
func (c *rendering) apply(ctx context.Context, session *apply.Session) error {
	reporter, ok := c.Component.(component.Reporter)
	if !ok {
		return session.ApplyAll(ctx, c.objects)
	}
	var objects, reports []*unstructured.Unstructured
	for _, object := range c.objects {
		if reporter.IsReport(object) {
			reports = append(reports, object)
		} else {
			objects = append(objects, object)
		}
	}
	failed := unjoin(session.ApplyAll(ctx, objects))
	rejections := map[string]string{}
	for _, err := range failed {
		if object := c.rejectedObjectOfUser(err); object != nil && rejections[object.Name] == "" {
			rejections[object.Name] = describeAnswer(object)
		}
	}
	for _, report := range reports {
		reporter.Report(report, rejections)
	}
	return errors.Join(append(failed, unjoin(session.ApplyAll(ctx, reports))...)...)
}

// rejectedObjectOfUser returns the object of a user that an error is about, if the API server rejects it; otherwise nil.
func (c *rendering) rejectedObjectOfUser(err error) *apply.ObjectError {
	var failed *apply.ObjectError
	reporter, ok := c.Component.(component.Reporter)
	if !ok || !errors.As(err, &failed) || !reporter.IsOfUser(failed.Name) || !isRejection(err) {
		return nil
	}
	return failed
}

// describeAnswer is what the API server answered about an object, without its name.
func describeAnswer(failed *apply.ObjectError) string {
	kind := failed.Kind.Kind
	return kind + ": " + strings.TrimPrefix(failed.Err.Error(), fmt.Sprintf("%s %q is invalid: ", kind, failed.Name))
}

// isRejection reports whether the API server, a quota or an admission policy does not want an object as it is. Other errors end without a change of it.
func isRejection(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= 400 && code < 500 && !slices.Contains([]int32{401, 404, 408, 409, 429}, code)
}

// divide keeps the errors about objects of member namespaces and of users apart: one of them must not stop a component for the others.
func (c *rendering) divide(applied error, own string) {
	for _, err := range unjoin(applied) {
		var failed *apply.ObjectError
		var unreadable *unreadableError
		ofUser := c.rejectedObjectOfUser(err) != nil
		if !errors.As(err, &failed) || errors.As(err, &unreadable) || !ofUser && (failed.Namespace == "" || failed.Namespace == own) {
			c.err = errors.Join(c.err, err)
			continue
		}
		version, kind := failed.Kind.ToAPIVersionAndKind()
		c.rejected = append(c.rejected, v1alpha1.ObjectReference{APIVersion: version, Kind: kind, Namespace: failed.Namespace, Name: failed.Name})
		c.rejection, c.ofUsers = errors.Join(c.rejection, err), c.ofUsers || ofUser
	}
}

// describeRejection returns the reason and the message of a component that works, except for those whose objects are rejected.
func (c *rendering) describeRejection() (reason, message string) {
	if c.ofUsers {
		return v1alpha1.ReasonGatewaysRejected, "it serves the other Gateways; " + c.rejection.Error()
	}
	return v1alpha1.ReasonNamespacesRejected, "it serves the other namespaces; " + c.rejection.Error()
}

// unjoin returns the errors that errors.Join joined.
func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
