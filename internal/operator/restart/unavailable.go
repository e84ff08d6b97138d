package restart

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// isUnavailable reports whether the API server, or the way to it, failed. An admission webhook that does not answer denies: the API server
// reports it as an internal error, but it remains until a user repairs the webhook.
func isUnavailable(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		var transport *url.Error
		return errors.As(err, &transport)
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError && !strings.Contains(status.Status().Message, "failed calling webhook")
}
