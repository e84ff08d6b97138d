package lab

import (
	"os"
	"strings"
	"testing"
)

// A process whose parent has reserved the cluster reserves nothing. Otherwise it has the cluster until it ends.
func TestProcessReservesTheCluster(t *testing.T) {
	repository, err := FindRepository()
	if err != nil {
		t.Fatal(err)
	}
	var notes strings.Builder
	t.Setenv(reservationVariable, "inherited")
	if err := repository.reserve(t.Context(), &notes); err != nil || os.Getenv(reservationVariable) != "inherited" {
		t.Errorf("an inherited reservation becomes %q, error %v", os.Getenv(reservationVariable), err)
	}
}
