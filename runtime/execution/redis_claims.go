package execution

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"
)

// claimed bounds a claim whose pod lives on and never settles it. No run may take as long:
// spec.limits.requestTimeoutSeconds is at most an hour.
const claimed = 2 * time.Hour

// claimKeys are the keys of scripts about a claim.
func (r *Redis) claimKeys(c Claim) []string {
	return []string{r.podsKey(), r.prefix + "key:" + r.digest(c.key.Subject, c.key.Workflow, c.key.Key)}
}

// Begin implements Store.
func (r *Redis) Begin(ctx context.Context, c Claim) (Attempt, error) {
	reply, err := r.callBulk(ctx, beginScript, 2, r.claimKeys(c), milliseconds(claimed), r.pod, c.word, hex.EncodeToString(c.fingerprint[:]))
	if err != nil {
		return Attempt{}, err
	}
	a := Attempt{State: AttemptState(reply[0])}
	switch a.State {
	case Fresh, InFlight, Mismatch, NotKept:
		return a, nil
	case Replay:
		if len(reply[1]) <= MaxAnswer {
			a.Answer = []byte(reply[1])
			return a, nil
		}
	}
	return Attempt{}, fmt.Errorf("idempotency key: %w", errFormat)
}

// Settle implements Store.
func (r *Redis) Settle(ctx context.Context, c Claim, answer []byte) error {
	fingerprint := hex.EncodeToString(c.fingerprint[:])
	value := version + "N" + fingerprint
	if answer != nil {
		value = version + "D" + fingerprint + "\n" + string(answer)
	}
	_, err := r.callBulk(ctx, settleScript, 0, r.claimKeys(c), c.word, milliseconds(r.retention), value)
	return err
}

// Release implements Store.
func (r *Redis) Release(ctx context.Context, c Claim) error {
	_, err := r.call(ctx, settleScript, 0, r.claimKeys(c), c.word, "0", "")
	return err
}
