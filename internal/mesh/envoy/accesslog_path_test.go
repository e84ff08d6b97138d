package envoy

import "testing"

// TestAuditS12PathIsNotAClaimOfTheClient checks that no header of the client replaces the path in the log.
func TestAuditS12PathIsNotAClaimOfTheClient(t *testing.T) {
	if got := accessLogFormat["path"]; got != "%REQ(:PATH)%" {
		t.Errorf("the logged path is %s", got)
	}
}
