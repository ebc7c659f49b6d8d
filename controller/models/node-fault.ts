// An error for which one node is to blame: another plan may do without it.
import { type ErrorCode, EspalierError } from '../../protocol/errors.ts';

export class NodeFault extends EspalierError {
  readonly nodeId: string;

  constructor(nodeId: string, code: ErrorCode, message: string) {
    super(code, message);
    this.nodeId = nodeId;
  }
}
