// Package tokenlimit limits the TokenReviews that unauthenticated clients of a server cause.
//
// Its input is an authenticator of requests that asks the API server. Its output is an authenticator that remembers invalid tokens, and waits
// before it reviews many unknown ones. Tokens that were accepted before do not wait for unknown ones.
package tokenlimit
