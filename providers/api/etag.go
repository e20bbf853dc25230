package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
)

// etag returns the entity tag of an entry (RFC 9110 section 8.8.3). Two states of an entry never share one, because
// they never share a tm_update.
func etag(entry any) (string, error) {
	text, err := json.Marshal(entry)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}

// checkETag says whether a request may change an entry that has the tag (RFC 9110 section 13.1.1).
func checkETag(r *http.Request, tag string) error {
	conditions := r.Header.Values("If-Match")
	if len(conditions) == 0 {
		return nil
	}
	for one := range strings.SplitSeq(strings.Join(conditions, ","), ",") {
		if one = strings.TrimSpace(one); one == tag || one == "*" {
			return nil
		}
	}
	return &fault{
		code: http.StatusPreconditionFailed, status: statusFailedPrecondition, reason: "ETAG_MISMATCH",
		message: "The entry is another one than If-Match says: it was changed since it was read.",
	}
}
