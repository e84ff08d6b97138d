package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

// maxFailures limits the failed requests in a report.
const maxFailures = 50

// requestID is the header of the request id in the logs of sidecars.
const requestID = "X-Request-Id"

// sender sends requests and counts the outcomes.
type sender struct {
	options requestOptions
	client  *http.Client
	url     string
	watch   *stallWatch
	// idPrefix is the prefix of all request ids.
	idPrefix string

	mu     sync.Mutex
	result report.Requests
}

// snapshot returns the report of the requests so far.
func (s *sender) snapshot() report.Requests {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.result
	r.Outcomes, r.Names, r.Peers, r.Errors = maps.Clone(r.Outcomes), maps.Clone(r.Names), maps.Clone(r.Peers), maps.Clone(r.Errors)
	r.Failures = slices.Clone(r.Failures)
	return r
}

// sendAtRate sends requests at a rate. A turn is skipped while the maximum number of requests is in flight, so that an
// overloaded machine does not accumulate pending requests.
func (s *sender) sendAtRate(ctx context.Context) {
	var pending sync.WaitGroup
	defer pending.Wait()
	slots := make(chan struct{}, s.options.maxInFlight)
	start := time.Now()
	for i := 0; s.options.hasNext(ctx, i); i++ {
		turn := start.Add(time.Duration(float64(i) / s.options.rate * float64(time.Second)))
		select {
		case <-time.After(time.Until(turn)):
		case <-ctx.Done():
			return
		}
		select {
		case slots <- struct{}{}:
			s.recordTurn(time.Since(turn), 0)
			pending.Go(func() {
				s.sendOne(i)
				<-slots
			})
		default:
			s.recordTurn(0, 1)
		}
	}
}

// recordTurn records by how much a request started late, or that it was skipped.
func (s *sender) recordTurn(late time.Duration, skipped int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Late = max(s.result.Late, late)
	s.result.Skipped += skipped
}

// sendOne sends and records the request with a number.
func (s *sender) sendOne(number int) {
	id := fmt.Sprintf("%s-%d", s.idPrefix, number)
	start := time.Now()
	outcome, response, err := s.send(id)
	now := time.Now()
	failed := report.Failure{ID: id, At: start, Duration: now.Sub(start), Stalled: s.watch.between(start, now)}
	if outcome == report.Timeout && failed.Stalled > s.options.timeout/2 {
		outcome = report.Starved
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result.Requests++
	s.result.Outcomes[outcome]++
	if response.Name != "" {
		s.result.Names[response.Name]++
	}
	if host, _, err := net.SplitHostPort(response.Peer); err == nil {
		s.result.Peers[host]++
	}
	if err != nil {
		s.result.Errors[outcome] = err.Error()
		response.text = err.Error()
	}
	if outcome != strconv.Itoa(http.StatusOK) && len(s.result.Failures) < maxFailures {
		failed.Outcome, failed.Detail = outcome, fmt.Sprintf("%.200s", response.text)
		s.result.Failures = append(s.result.Failures, failed)
	}
}

func (s *sender) send(id string) (outcome string, parsed response, err error) {
	request, err := http.NewRequest(s.options.method, s.url, nil)
	if err != nil {
		return report.Other, parsed, err
	}
	for _, header := range s.options.headers {
		key, value, ok := strings.Cut(header, ":")
		if !ok {
			return report.Other, parsed, fmt.Errorf("header %q has no colon: write 'Name: value'", header)
		}
		if strings.EqualFold(key, "host") {
			request.Host = strings.TrimSpace(value)
		}
		request.Header.Add(key, strings.TrimSpace(value))
	}
	if request.Header.Get(requestID) == "" {
		request.Header.Set(requestID, id)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return outcomeOf(err), parsed, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return outcomeOf(err), parsed, err
	}
	_ = json.Unmarshal(body, &parsed)
	parsed.text = string(body)
	return strconv.Itoa(response.StatusCode), parsed, nil
}
