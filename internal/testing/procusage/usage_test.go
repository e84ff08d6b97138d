package procusage_test

import (
	"os"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

// The process of the test uses CPU time and memory, and two of it use twice that.
func TestOf(t *testing.T) {
	own := os.Getpid()
	one, err := procusage.Of(own)
	if err != nil {
		t.Fatal(err)
	}
	if one.CPU <= 0 || one.CPU > time.Hour || one.Private == 0 || one.Resident < one.Private || one.Peak < one.Resident {
		t.Errorf("implausible: %+v", one)
	}
	two, err := procusage.Of(own, own)
	if err != nil {
		t.Fatal(err)
	}
	if two.CPU < 2*one.CPU || two.Peak < 2*one.Peak {
		t.Errorf("two processes use %+v, one %+v", two, one)
	}
}

func TestOf_NoProcess(t *testing.T) {
	if _, err := procusage.Of(-1); err == nil {
		t.Error("no error for a process that does not exist")
	}
}
