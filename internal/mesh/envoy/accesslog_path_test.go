package envoy

import "testing"

// TestPathIsNotAClaimOfTheClient checks that no header of the client replaces the path in the log.
func TestPathIsNotAClaimOfTheClient(t *testing.T) {
	if got := accessLogFormat["path"]; got != "%REQ(:PATH)%" {
		t.Errorf("the logged path is %s", got)
	}
}
